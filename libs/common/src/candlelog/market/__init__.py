"""Series, timeframes, candles, exchange profiles: pure, no I/O."""
