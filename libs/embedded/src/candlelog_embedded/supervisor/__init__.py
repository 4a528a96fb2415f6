"""Starts the processes of the embedded system, keeps them running, and ends them in order."""
