"""Writes candle batches to ClickHouse."""
