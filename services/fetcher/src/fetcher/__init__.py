"""The fetcher: brings candles from exchanges onto the log, within one shared budget."""
