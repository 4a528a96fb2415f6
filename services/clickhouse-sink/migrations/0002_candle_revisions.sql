-- Values of a slot that were superseded, or came late: with candles_latest, its whole history.
CREATE TABLE IF NOT EXISTS candle_revisions (
    exchange String CODEC(ZSTD(1)),
    symbol String CODEC(ZSTD(1)),
    timeframe String CODEC(ZSTD(1)),
    open_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    open Float64 CODEC(Delta, ZSTD(1)),
    high Float64 CODEC(Delta, ZSTD(1)),
    low Float64 CODEC(Delta, ZSTD(1)),
    close Float64 CODEC(Delta, ZSTD(1)),
    volume Float64 CODEC(ZSTD(1)),
    quote_volume Nullable(Float64) CODEC(ZSTD(3)),
    trades Nullable(UInt32) CODEC(T64, ZSTD(1)),
    source String CODEC(ZSTD(1)),
    observed_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY if(timeframe IN ('1s', '1m', '3m'), toYYYYMM(open_time), toYear(open_time))
PRIMARY KEY (exchange, symbol, timeframe, open_time)
ORDER BY (exchange, symbol, timeframe, open_time, observed_at);
