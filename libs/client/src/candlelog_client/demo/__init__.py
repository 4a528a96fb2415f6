"""`make demo`: the whole system on a sample market, its result checked against the source."""
