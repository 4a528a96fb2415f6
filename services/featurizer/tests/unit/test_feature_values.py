"""Each column of the default set: against its formula written out, and against TA-Lib itself."""

from collections.abc import Callable
from itertools import pairwise
from math import log, sqrt

import numpy as np
import pyarrow as pa
import pytest
import talib
from numpy.typing import NDArray

from candlelog.events.features import feature_schema
from candlelog.market.candles import Columns
from candlelog.market.feature_sets import FeatureSet, Indicator
from candlelog.market.timeframe import TIMEFRAMES, Timeframe, from_milliseconds, milliseconds
from featurizer.domain.computation import Computation
from featurizer.domain.windows import W

Values = list[float | None]
Market = tuple[Timeframe, Columns]
HOUR = Timeframe.parse("1h")
LEADING_NULLS = {
    "return": 1, "log_return": 1, "sma_7": 6, "sma_21": 20, "sma_50": 49, "sma_200": 199,
    "ema_7": 6, "ema_21": 20, "ema_50": 49, "ema_200": 199, "rsi_14": 14, "macd": 33,
    "macd_signal": 33, "macd_histogram": 33, "bb_upper": 19, "bb_middle": 19, "bb_lower": 19,
    "atr_14": 14, "adx_14": 27, "stochastic_k": 17, "stochastic_d": 17, "volatility_20": 20,
    "volume_zscore_20": 19, "vwap_20": 19, "bars_contiguous": 0,
}  # fmt: skip


def market(rows: int = 600, *, seed: int = 1) -> Columns:
    """A random walk of hours, a tenth of which are missing."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, rows)))
    open_ = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(open_, close) * (1 + 0.01 * rng.random(rows))
    low = np.minimum(open_, close) * (1 - 0.01 * rng.random(rows))
    hours = np.cumsum(1 + (rng.random(rows) < 0.1))
    return Columns(hours * 3_600_000, open_, high, low, close, rng.lognormal(0, 2, rows))


def moved_to(price: float, rows: int, moves: int = 0) -> Columns:
    """So many rows of a walk, and then rows of one price, in which nothing is traded."""
    walk = market(max(moves, 1))
    still = np.full(rows - moves, price)
    prices = [
        np.concatenate([each[:moves], still])
        for each in (walk.open, walk.high, walk.low, walk.close)
    ]
    hours = np.arange(rows) * 3_600_000
    return Columns(hours, *prices, np.concatenate([walk.volume[:moves], still * 0]))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def deviation(values: list[float]) -> float:
    return sqrt(mean([(value - mean(values)) ** 2 for value in values]))


def rolling(statistic: Callable[[list[float]], float], values: list[float], size: int) -> Values:
    lead: Values = [None] * (size - 1)
    return lead + [statistic(values[end - size : end]) for end in range(size, len(values) + 1)]


def smoothed(values: list[float], size: int, share: float) -> Values:
    average = mean(values[:size])
    result: Values = [*[None] * (size - 1), average]
    for value in values[size:]:
        average += share * (value - average)
        result.append(average)
    return result


def ema(values: list[float], size: int) -> Values:
    return smoothed(values, size, 2 / (size + 1))


def of_known(function: Callable[[list[float]], Values], values: Values) -> Values:
    known = [value for value in values if value is not None]
    return [None] * (len(values) - len(known)) + function(known)


def combine(function: Callable[..., float], *columns: Values) -> Values:
    return [None if None in row else function(*row) for row in zip(*columns, strict=True)]


def true_ranges(c: Columns) -> list[float]:
    rows = zip(c.high[1:], c.low[1:], c.close[:-1], strict=True)
    return [max(high, before) - min(low, before) for high, low, before in rows]


def rsi(close: list[float]) -> Values:
    moves = [after - before for before, after in pairwise(close)]
    gains = smoothed([max(move, 0) for move in moves], 14, 1 / 14)
    losses = smoothed([max(-move, 0) for move in moves], 14, 1 / 14)
    return [None, *combine(lambda gain, loss: 100 * gain / (gain + loss), gains, losses)]


def adx(c: Columns) -> Values:
    ups = [after - before for before, after in pairwise(c.high)]
    downs = [before - after for before, after in pairwise(c.low)]
    plus = [up if up > down and up > 0 else 0 for up, down in zip(ups, downs, strict=True)]
    minus = [down if down > up and down > 0 else 0 for up, down in zip(ups, downs, strict=True)]

    def sums(values: list[float]) -> list[float]:
        total, result = sum(values[:13]), []
        for value in values[13:]:
            total += value - total / 14
            result.append(total)
        return result

    quotients = [
        100 * abs(up - down) / (up + down) for up, down in zip(sums(plus), sums(minus), strict=True)
    ]
    return [*[None] * 14, *smoothed(quotients, 14, 1 / 14)]


def macd(close: list[float]) -> tuple[Values, Values, Values]:
    # The fast average begins so late that both have their first value at the same row.
    fast: Values = [*[None] * 14, *ema(close[14:], 12)]
    line = combine(lambda one, other: one - other, fast, ema(close, 26))
    signal = of_known(lambda values: ema(values, 9), line)
    histogram = combine(lambda one, other: one - other, line, signal)
    begun = [None if value is None else one for one, value in zip(line, signal, strict=True)]
    return begun, signal, histogram


def stochastic(c: Columns) -> tuple[Values, Values]:
    highest, lowest = rolling(max, c.high.tolist(), 14), rolling(min, c.low.tolist(), 14)
    fast = combine(
        lambda close, high, low: 100 * (close - low) / (high - low),
        c.close.tolist(), highest, lowest,
    )  # fmt: skip
    slow = of_known(lambda values: rolling(mean, values, 3), fast)
    signal = of_known(lambda values: rolling(mean, values, 3), slow)
    begun = [None if value is None else one for one, value in zip(slow, signal, strict=True)]
    return begun, signal


def contiguous(open_time: NDArray[np.int64], timeframe: Timeframe) -> Values:
    count, result = 0, [0.0]
    for before, after in pairwise(map(from_milliseconds, open_time.tolist())):
        count = count + 1 if timeframe.advance(before, 1) == after else 0
        result.append(float(min(count, W - 1)))
    return result


def written_out(c: Columns) -> dict[str, Values]:
    close, volume = c.close.tolist(), c.volume.tolist()
    logs = [log(after / before) for before, after in pairwise(close)]
    middle, around = rolling(mean, close, 20), rolling(deviation, close, 20)
    typical = ((c.high + c.low + c.close) / 3 * c.volume).tolist()
    line, signal, histogram = macd(close)
    slow_k, slow_d = stochastic(c)
    return {
        "return": [None, *(after / before - 1 for before, after in pairwise(close))],
        "log_return": [None, *logs],
        **{f"sma_{size}": rolling(mean, close, size) for size in (7, 21, 50, 200)},
        **{f"ema_{size}": ema(close, size) for size in (7, 21, 50, 200)},
        "rsi_14": rsi(close),
        "macd": line,
        "macd_signal": signal,
        "macd_histogram": histogram,
        "bb_upper": combine(lambda one, other: one + 2 * other, middle, around),
        "bb_middle": middle,
        "bb_lower": combine(lambda one, other: one - 2 * other, middle, around),
        "atr_14": [None, *smoothed(true_ranges(c), 14, 1 / 14)],
        "adx_14": adx(c),
        "stochastic_k": slow_k,
        "stochastic_d": slow_d,
        "volatility_20": [None, *rolling(deviation, logs, 20)],
        "volume_zscore_20": rolling(
            lambda last: (last[-1] - mean(last)) / deviation(last), volume, 20
        ),
        "vwap_20": combine(
            lambda traded, total: traded / total,
            rolling(sum, typical, 20), rolling(sum, volume, 20),
        ),
        "bars_contiguous": contiguous(c.open_time, HOUR),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_every_column_is_its_formula(default_set: FeatureSet, wrong, seed: int):
    candles = market(seed=seed)
    schema = feature_schema(list(default_set.columns))
    open_time = pa.array(candles.open_time, schema.field("open_time").type)
    formulas = written_out(candles)
    expected = pa.RecordBatch.from_arrays(
        [open_time, *(pa.array(formulas[name], pa.float64()) for name in default_set.columns)],
        schema=schema,
    )
    assert wrong(Computation(default_set).compute(HOUR, candles), expected, candles.close) == {}


def test_every_talib_column_is_talib_over_all_candles(
    default_set: FeatureSet, wrong, real_market: Market
):
    timeframe, c = real_market
    features = Computation(default_set).compute(timeframe, c)
    line, signal, histogram = talib.MACD(c.close, 12, 26, 9)
    upper, middle, lower = talib.BBANDS(c.close, 20, 2.0, 2.0)
    slow_k, slow_d = talib.STOCH(c.high, c.low, c.close, 14, 3, 0, 3, 0)
    expected = {
        "return": talib.ROCP(c.close, 1),
        **{f"sma_{size}": talib.SMA(c.close, size) for size in (7, 21, 50, 200)},
        **{f"ema_{size}": talib.EMA(c.close, size) for size in (7, 21, 50, 200)},
        "rsi_14": talib.RSI(c.close, 14),
        "macd": line, "macd_signal": signal, "macd_histogram": histogram,
        "bb_upper": upper, "bb_middle": middle, "bb_lower": lower,
        "atr_14": talib.ATR(c.high, c.low, c.close, 14),
        "adx_14": talib.ADX(c.high, c.low, c.close, 14),
        "stochastic_k": slow_k, "stochastic_d": slow_d,
    }  # fmt: skip
    direct = pa.RecordBatch.from_arrays(
        [features["open_time"], *(pa.array(each, from_pandas=True) for each in expected.values())],
        schema=feature_schema(list(expected)),
    )
    assert wrong(features.select(direct.schema.names), direct, c.close) == {}


def test_a_value_is_null_only_where_its_indicator_has_too_few_rows(default_set: FeatureSet):
    features = Computation(default_set).compute(HOUR, market())
    for name, nulls in LEADING_NULLS.items():
        assert features[name].is_null().to_pylist() == [row < nulls for row in range(600)], name


@pytest.mark.parametrize("rows", [0, 1, 2, 27, W - 1, W, W + 1])
def test_any_number_of_candles_has_as_many_rows(default_set: FeatureSet, rows: int):
    features = Computation(default_set).compute(HOUR, market(rows))
    assert features.num_rows == rows
    assert features.schema.equals(feature_schema(list(default_set.columns)))


def test_candles_may_come_from_a_batch(default_set: FeatureSet):
    candles = market()
    batch = candles.to_batch(np.ones(600, dtype=bool))
    computation = Computation(default_set)
    of_batch = computation.compute(HOUR, Columns.from_batch(batch))
    assert of_batch.equals(computation.compute(HOUR, candles))


def test_a_ratio_without_deviation_or_volume_is_null(default_set: FeatureSet):
    features = Computation(default_set).compute(HOUR, moved_to(0.1, 200, moves=100))
    for name in ("volume_zscore_20", "vwap_20"):
        nulls = features[name].is_null().to_pylist()
        assert nulls == [row < 19 or row >= 119 for row in range(200)]


def test_equal_volumes_have_no_deviation_whatever_their_size():
    indicator = Indicator(indicator="zscore", inputs=("volume",), columns=("z",))
    one = FeatureSet(name="one", version=1, features=(indicator,))
    for volume in np.random.default_rng(1).lognormal(0, 10, 50):
        candles = moved_to(1.0, 40)
        candles.volume[:] = volume
        assert Computation(one).compute(HOUR, candles)["z"].null_count == 40


def test_prices_that_never_moved_have_the_values_that_talib_gives(default_set: FeatureSet):
    features = Computation(default_set).compute(HOUR, moved_to(0.1, 5000))
    for name in ("rsi_14", "adx_14", "stochastic_k", "stochastic_d", "atr_14"):
        assert set(features[name].drop_null().to_pylist()) == {0.0}, name
    for name in ("sma_200", "ema_200", "bb_upper", "bb_lower"):
        assert np.allclose(features[name].drop_null(), 0.1, rtol=1e-14, atol=0), name


def test_moves_before_a_long_standstill_are_forgotten(default_set: FeatureSet):
    features = Computation(default_set).compute(HOUR, moved_to(90.0, 5000, moves=1000))
    standing = {"rsi_14": W - 482, "adx_14": W - 544}
    for name, still in standing.items():
        values = features[name].to_numpy(zero_copy_only=False)
        assert np.all(values[1000:][:still] > 1)
        assert np.all(values[1000 + 2 * W :] == 0), name


@pytest.mark.parametrize("name", TIMEFRAMES)
def test_contiguous_bars_are_counted_on_the_grid_of_the_timeframe(
    default_set: FeatureSet, name: str
):
    timeframe = Timeframe.parse(name)
    times = [timeframe.floor(from_milliseconds(1_700_000_000_000))]
    for step in (1, 1, 2, 1, 1, 1, 3, 1):
        times.append(timeframe.advance(times[-1], step))
    open_time = np.array([milliseconds(time) for time in times])
    candles = Columns(open_time, *np.ones((5, len(times))))
    features = Computation(default_set).compute(timeframe, candles)
    assert features["bars_contiguous"].to_pylist() == [0, 1, 2, 0, 1, 2, 3, 0, 1]


def test_contiguous_bars_are_counted_to_w_minus_one(default_set: FeatureSet):
    features = Computation(default_set).compute(HOUR, moved_to(1.0, W + 10))
    assert features["bars_contiguous"].to_pylist() == [*range(W), *[W - 1] * 10]
