"""The runtime over the log: consume, publish, retry, dead letters."""
