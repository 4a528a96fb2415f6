-- Rows that broke a rule, as they came. Rows written twice are equal in every column and merge.
CREATE TABLE IF NOT EXISTS quarantine (
    exchange String CODEC(ZSTD(1)),
    symbol String CODEC(ZSTD(1)),
    timeframe String CODEC(ZSTD(1)),
    open_time Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    raw String CODEC(ZSTD(1)),
    reason String CODEC(ZSTD(1)),
    source String CODEC(ZSTD(1)),
    job_id UUID CODEC(ZSTD(1)),
    chunk_id UUID CODEC(ZSTD(1)),
    observed_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
) ENGINE = ReplacingMergeTree
PRIMARY KEY (exchange, symbol, timeframe)
ORDER BY (exchange, symbol, timeframe, chunk_id, observed_at, reason, raw);
