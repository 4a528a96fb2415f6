"""The sandbox exchange: Binance and Kraken on this machine, with limits, delays and faults."""
