-- Which feature sets a series has: whatever computes features of it computes these.
-- state: `serving` (features_latest shows it), `beside` (kept up, not shown) or `closed`. Rows that
-- must change together are written in one insert: without partitions that is one part, seen or not.
CREATE TABLE IF NOT EXISTS feature_builds (
    exchange String,
    symbol String,
    timeframe String,
    feature_set String,
    version UInt32,
    build UInt32,
    state String,
    changed UInt64
) ENGINE = ReplacingMergeTree(changed)
ORDER BY (exchange, symbol, timeframe, feature_set, version, build);

-- One row per candle, feature set and build: of several versions the one computed from the newest
-- candles stays. The columns of `default` stand here; the sink adds those of other sets.
-- The partition is a function of the open time, which is part of the sort key.
CREATE TABLE IF NOT EXISTS features (
    exchange String CODEC(ZSTD(1)),
    symbol String CODEC(ZSTD(1)),
    timeframe String CODEC(ZSTD(1)),
    feature_set String CODEC(ZSTD(1)),
    version UInt32 CODEC(ZSTD(1)),
    build UInt32 CODEC(ZSTD(1)),
    open_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    revision UInt64 CODEC(Delta, ZSTD(1)),
    `return` Nullable(Float64) CODEC(ZSTD(1)),
    log_return Nullable(Float64) CODEC(ZSTD(1)),
    sma_7 Nullable(Float64) CODEC(ZSTD(1)),
    sma_21 Nullable(Float64) CODEC(ZSTD(1)),
    sma_50 Nullable(Float64) CODEC(ZSTD(1)),
    sma_200 Nullable(Float64) CODEC(ZSTD(1)),
    ema_7 Nullable(Float64) CODEC(ZSTD(1)),
    ema_21 Nullable(Float64) CODEC(ZSTD(1)),
    ema_50 Nullable(Float64) CODEC(ZSTD(1)),
    ema_200 Nullable(Float64) CODEC(ZSTD(1)),
    rsi_14 Nullable(Float64) CODEC(ZSTD(1)),
    macd Nullable(Float64) CODEC(ZSTD(1)),
    macd_signal Nullable(Float64) CODEC(ZSTD(1)),
    macd_histogram Nullable(Float64) CODEC(ZSTD(1)),
    bb_upper Nullable(Float64) CODEC(ZSTD(1)),
    bb_middle Nullable(Float64) CODEC(ZSTD(1)),
    bb_lower Nullable(Float64) CODEC(ZSTD(1)),
    atr_14 Nullable(Float64) CODEC(ZSTD(1)),
    adx_14 Nullable(Float64) CODEC(ZSTD(1)),
    stochastic_k Nullable(Float64) CODEC(ZSTD(1)),
    stochastic_d Nullable(Float64) CODEC(ZSTD(1)),
    volatility_20 Nullable(Float64) CODEC(ZSTD(1)),
    volume_zscore_20 Nullable(Float64) CODEC(ZSTD(1)),
    vwap_20 Nullable(Float64) CODEC(ZSTD(1)),
    bars_contiguous Nullable(Float64) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(revision)
PARTITION BY if(timeframe IN ('1s', '1m', '3m'), toYYYYMM(open_time), toYear(open_time))
ORDER BY (exchange, symbol, timeframe, feature_set, version, build, open_time);

CREATE OR REPLACE VIEW features_latest AS
SELECT
    exchange, symbol, timeframe, open_time, feature_set, version,
    `return`, log_return, sma_7, sma_21, sma_50, sma_200, ema_7, ema_21, ema_50, ema_200, rsi_14, macd, macd_signal, macd_histogram, bb_upper, bb_middle, bb_lower, atr_14, adx_14, stochastic_k, stochastic_d, volatility_20, volume_zscore_20, vwap_20, bars_contiguous
FROM features FINAL
WHERE (exchange, symbol, timeframe, feature_set, version, build) IN (
    SELECT exchange, symbol, timeframe, feature_set, version, build
    FROM feature_builds FINAL WHERE state = 'serving'
);
