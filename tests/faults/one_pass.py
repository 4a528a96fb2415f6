"""What the features of a series are: one ordered pass of TA-Lib over all of its candles.

Written for the tests alone, from TA-Lib's own functions and plain formulas; it shares no code with
the featurizer. Equal is `|a - b| <= 1e-9 * max(|b|, scale)`: scale is the close for prices and
their differences, 100 for oscillators, and 1 for the rest.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import talib
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TOLERANCE = 1e-9
MOST_BARS = 2399
OSCILLATORS = {"rsi_14", "adx_14", "stochastic_k", "stochastic_d"}
PLAIN = {"return", "log_return", "volatility_20", "volume_zscore_20", "bars_contiguous"}


def one_pass(candles: pa.Table, step_ms: int) -> dict[str, Floats]:
    """The columns of `default` over candles in the order of time; NaN where there is no value."""
    high, low, close, volume = (
        np.ascontiguousarray(candles.column(name).to_numpy())
        for name in ("high", "low", "close", "volume")
    )
    log_return = np.diff(np.log(close), prepend=np.nan)
    macd = talib.MACD(close, 12, 26, 9)
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0, 0)
    slow_k, slow_d = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    return {
        "return": talib.ROCP(close, 1),
        "log_return": log_return,
        **{f"sma_{period}": talib.SMA(close, period) for period in (7, 21, 50, 200)},
        **{f"ema_{period}": talib.EMA(close, period) for period in (7, 21, 50, 200)},
        "rsi_14": talib.RSI(close, 14),
        "macd": macd[0],
        "macd_signal": macd[1],
        "macd_histogram": macd[2],
        "bb_upper": upper,
        "bb_middle": middle,
        "bb_lower": lower,
        "atr_14": talib.ATR(high, low, close, 14),
        "adx_14": talib.ADX(high, low, close, 14),
        "stochastic_k": slow_k,
        "stochastic_d": slow_d,
        "volatility_20": _rolling(log_return, 20, np.std),
        "volume_zscore_20": _zscore(volume, 20),
        "vwap_20": _vwap((high + low + close) / 3, volume, 20),
        "bars_contiguous": _contiguous(candles, step_ms),
    }


def differences(
    features: pa.Table, expected: Mapping[str, Floats], close: Floats
) -> dict[str, int]:
    """How many values of each feature are not what they should be; empty when all are."""
    wrong = {
        name: int((~_equal(features.column(name).to_numpy(), values, _scale(name, close))).sum())
        for name, values in expected.items()
    }
    return {name: number for name, number in wrong.items() if number}


def _equal(actual: Floats, expected: Floats, scale: Floats) -> NDArray[np.bool_]:
    both_absent = np.isnan(actual) & np.isnan(expected)
    close = np.abs(actual - expected) <= TOLERANCE * np.maximum(np.abs(expected), scale)
    return both_absent | close


def _scale(name: str, close: Floats) -> Floats:
    if name in OSCILLATORS:
        return np.full(len(close), 100.0)
    return np.ones(len(close)) if name in PLAIN else close


def _rolling(values: Floats, period: int, statistic) -> Floats:
    result = np.full(len(values), np.nan)
    for end in range(period, len(values) + 1):
        result[end - 1] = statistic(values[end - period : end])
    return result


def _zscore(values: Floats, period: int) -> Floats:
    def zscore(tail: Floats) -> float:
        return np.nan if np.ptp(tail) == 0 else (tail[-1] - tail.mean()) / tail.std()

    return _rolling(values, period, zscore)


def _vwap(typical: Floats, volume: Floats, period: int) -> Floats:
    result = np.full(len(typical), np.nan)
    for end in range(period, len(typical) + 1):
        tail = slice(end - period, end)
        if volume[tail].sum() > 0:
            result[end - 1] = np.average(typical[tail], weights=volume[tail])
    return result


def _contiguous(candles: pa.Table, step_ms: int) -> Floats:
    bars, count, before = [], 0, None
    for time in candles.column("open_time").cast(pa.int64()).to_pylist():
        count = count + 1 if before is not None and time - before == step_ms else 0
        bars.append(min(count, MOST_BARS))
        before = time
    return np.array(bars, dtype=np.float64)
