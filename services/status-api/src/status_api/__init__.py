"""Serves jobs, progress and candles over REST, SSE and WebSocket."""
