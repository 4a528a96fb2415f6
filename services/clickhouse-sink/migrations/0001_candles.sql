-- One row per slot: of several versions the newest by observed_at stays.
-- Partitions: a month of the fine timeframes, a year of the coarse ones. The partition is a function
-- of the sort key, so all versions of a slot share one and FINAL works partition by partition.
CREATE TABLE IF NOT EXISTS candles (
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
) ENGINE = ReplacingMergeTree(observed_at)
PARTITION BY if(timeframe IN ('1s', '1m', '3m'), toYYYYMM(open_time), toYear(open_time))
ORDER BY (exchange, symbol, timeframe, open_time);

CREATE OR REPLACE VIEW candles_latest AS
SELECT
    exchange, symbol, timeframe, open_time,
    open, high, low, close, volume, quote_volume, trades,
    source, observed_at
FROM candles FINAL;
