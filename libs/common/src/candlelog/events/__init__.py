"""Contracts: what may be said on the log. Imports nothing else of ours."""
