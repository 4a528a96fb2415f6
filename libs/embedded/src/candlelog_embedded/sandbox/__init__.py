"""The sandbox exchange: a Binance-shaped venue on this machine, with limits, delays and faults."""
