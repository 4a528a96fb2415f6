-- What was asked of a venue, when, and how it answered: one row per stored batch, written after the
-- candles of the batch. Rows written twice are equal in every column and merge into one.
CREATE TABLE IF NOT EXISTS coverage (
    exchange String CODEC(ZSTD(1)),
    symbol String CODEC(ZSTD(1)),
    timeframe String CODEC(ZSTD(1)),
    start DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    end DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    source String CODEC(ZSTD(1)),
    outcome String CODEC(ZSTD(1)),
    job_id UUID CODEC(ZSTD(1)),
    chunk_id UUID CODEC(ZSTD(1)),
    observed_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX end_range end TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree
PRIMARY KEY (exchange, symbol, timeframe, start)
ORDER BY (exchange, symbol, timeframe, start, end, observed_at, chunk_id)
SETTINGS index_granularity = 1024;
