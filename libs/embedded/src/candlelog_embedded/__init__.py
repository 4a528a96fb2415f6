"""The whole of Candlelog on one laptop: broker, stores, sandbox exchange, supervisor."""
