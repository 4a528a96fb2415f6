"""The outside systems of the sink."""
