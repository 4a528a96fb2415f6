"""Computes features of stored candles and puts them on the log."""
