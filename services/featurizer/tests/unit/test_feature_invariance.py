"""The values of a candle are the same however its series was cut, and in whatever order it came."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from random import Random

import numpy as np
import pyarrow as pa
import pytest
import talib
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from candlelog.market.candles import Columns
from candlelog.market.feature_sets import FeatureSet
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, from_milliseconds
from featurizer.domain.computation import Computation
from featurizer.domain.windows import W, windows

Market = tuple[Timeframe, Columns]
MINUTE = Timeframe.parse("1m")
whole_series = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


Event = tuple[str, int, int, float]


def market(rows: int, seed: int, *, price: float = 100.0, events: Iterable[Event] = ()) -> Columns:
    """Minutes of a walk in which prices crash, stand still or flicker between two values, volume
    ceases or bursts, and minutes are missing: each event from a row on, for so many rows.
    """
    rng = np.random.default_rng(seed)
    moves, volume = rng.normal(0, 1e-3, rows), rng.lognormal(0, 2, rows)
    reach, steps = 1e-3 * rng.random((2, rows)), np.ones(rows, dtype=np.int64)
    flicker = np.zeros(rows)
    for kind, first, length, size in events:
        part = slice(first, first + length)
        if kind == "crash":
            moves[part] -= size / length
        elif kind in {"still", "flicker"}:
            moves[part], reach[:, part] = 0, 0
            flicker[part] = (np.arange(rows)[part] % 2) * (kind == "flicker")
        elif kind == "missing":
            steps[part] += rng.random(len(steps[part])) < 0.2
        else:
            volume[part] *= 1e9 if kind == "burst" else 0
    close = price * np.exp(np.cumsum(moves)) * (1 + 1e-4 * flicker)
    before = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(close, before), np.minimum(close, before)
    high, low = high * (1 + reach[0]), low * (1 - reach[1])
    return Columns(np.cumsum(steps) * 60_000, before, high, low, close, volume)


HOSTILE: dict[str, list[Event]] = {
    "a crash in an hour": [("crash", 3000, 60, 15)],
    "a crash in a day": [("crash", 3000, 1440, 12)],
    "a crash and a standstill": [("crash", 3000, 60, 15), ("still", 3060, 4000, 0)],
    "a standstill of 1,900": [("still", 3000, 1900, 0)],
    "a standstill of 1,930": [("still", 3000, 1930, 0)],
    "a standstill of 2,390": [("still", 3000, 2390, 0)],
    "a standstill of 3,000": [("still", 3000, 3000, 0)],
    "a flicker of 2,300": [("flicker", 3000, 2300, 0)],
    "nothing traded": [("burst", 2900, 100, 0), ("idle", 3000, 500, 0)],
}


@st.composite
def markets(draw: st.DrawFn) -> Columns:
    """Up to 7,000 minutes with up to five events."""
    rows = draw(st.integers(1, 7000))
    event = st.tuples(
        st.sampled_from(["crash", "still", "flicker", "idle", "burst", "missing"]),
        st.integers(0, rows - 1), st.integers(1, 3500), st.floats(0.1, 15),
    )  # fmt: skip
    return market(
        rows,
        draw(st.integers(0, 2**32 - 1)),
        price=draw(st.sampled_from([1e-6, 1.0, 60_000.0])),
        events=draw(st.lists(event, max_size=5)),
    )


def rows_of(candles: Columns, keep: slice | NDArray[np.intp]) -> Columns:
    columns = (getattr(candles, field.name) for field in fields(Columns))
    return Columns(*(None if column is None else column[keep] for column in columns))


def range_of(candles: Columns, first: int, last: int) -> TimeRange:
    """The time of rows `[first, last)`."""
    start, end = candles.open_time[first], candles.open_time[last - 1] + 1
    return TimeRange(from_milliseconds(int(start)), from_milliseconds(int(end)))


def computed(
    feature_set: FeatureSet, market: Market, changed: list[TimeRange]
) -> Iterator[pa.RecordBatch]:
    """What the featurizer writes for these changes, window by window."""
    timeframe, candles = market
    computation = Computation(feature_set)
    for each in windows(changed, candles.open_time):
        read = rows_of(candles, slice(each.read_from, each.end))
        yield computation.compute(timeframe, read).slice(each.skipped)


class Stored:
    """Rows by open time; a later one replaces an earlier one."""

    def __init__(self, open_time: NDArray[np.int64], features: int) -> None:
        self._open_time = open_time
        self._values = np.full((features, len(open_time)), np.inf)

    def write(self, batch: pa.RecordBatch) -> None:
        at = np.searchsorted(self._open_time, batch["open_time"].cast(pa.int64()).to_numpy())
        for row, column in zip(self._values, batch.columns[1:], strict=True):
            row[at] = column.to_numpy(zero_copy_only=False)

    def batch(self, like: pa.RecordBatch) -> pa.RecordBatch:
        columns = [pa.array(row, from_pandas=True) for row in self._values]
        return pa.RecordBatch.from_arrays([like["open_time"], *columns], schema=like.schema)


def cuts(rows: int, random: Random, parts: int) -> list[tuple[int, int]]:
    """Rows `[0, rows)` as at most so many parts, shuffled."""
    inner = sorted(random.sample(range(1, rows), min(parts, rows) - 1))
    parted = list(zip([0, *inner], [*inner, rows], strict=True))
    random.shuffle(parted)
    return parted


@whole_series
@given(candles=markets(), random=st.randoms(use_true_random=False))
def test_any_cut_in_any_order_gives_the_values_of_one_pass(
    default_set: FeatureSet, wrong, candles: Columns, random: Random
):
    whole = Computation(default_set).compute(MINUTE, candles)
    stored = Stored(candles.open_time, whole.num_columns - 1)
    for first, last in cuts(len(candles.close), random, parts=6):
        for batch in computed(default_set, (MINUTE, candles), [range_of(candles, first, last)]):
            stored.write(batch)
    assert wrong(stored.batch(whole), whole, candles.close) == {}


@whole_series
@given(candles=markets(), random=st.randoms(use_true_random=False))
def test_candles_that_come_in_any_order_have_in_the_end_the_values_of_one_pass(
    default_set: FeatureSet, wrong, candles: Columns, random: Random
):
    whole = Computation(default_set).compute(MINUTE, candles)
    stored = Stored(candles.open_time, whole.num_columns - 1)
    parts = cuts(len(candles.close), random, parts=8)
    for number, (first, last) in enumerate(parts, start=1):
        there = np.concatenate([np.arange(*part) for part in sorted(parts[:number])])
        again = range_of(candles, *random.choice(parts[:number]))
        changed = [range_of(candles, first, last), again]
        for batch in computed(default_set, (MINUTE, rows_of(candles, there)), changed):
            stored.write(batch)
    assert wrong(stored.batch(whole), whole, candles.close) == {}


@whole_series
@given(candles=markets(), data=st.data())
def test_a_value_is_that_of_its_last_w_rows(
    default_set: FeatureSet, wrong, candles: Columns, data: st.DataObject
):
    whole = Computation(default_set).compute(MINUTE, candles)
    end = data.draw(st.integers(1, len(candles.close)))
    last = rows_of(candles, slice(max(0, end - W), end))
    alone = Computation(default_set).compute(MINUTE, last)
    assert wrong(alone.slice(alone.num_rows - 1), whole.slice(end - 1, 1), last.close[-1:]) == {}


@pytest.mark.parametrize("period", [7, 21, 50, 200])
def test_an_ema_in_a_crash_is_that_of_talib_over_its_last_w_rows(
    default_set: FeatureSet, period: int
):
    candles = market(9000, 1, events=HOSTILE["a crash in an hour"])
    values = Computation(default_set).compute(MINUTE, candles)[f"ema_{period}"].to_pylist()
    for end in range(W, 9001, 29):
        last = talib.EMA(candles.close[end - W : end], period)[-1]
        assert values[end - 1] == pytest.approx(last, rel=1e-9), end


@pytest.mark.parametrize("events", HOSTILE.values(), ids=HOSTILE)
def test_no_crash_and_no_standstill_shows_where_a_series_was_cut(
    default_set: FeatureSet, wrong, events: list[Event]
):
    candles = market(9000, 1, events=events)
    whole = Computation(default_set).compute(MINUTE, candles)
    ends = np.arange(W + 1, 9000, 29)
    pieces = (rows_of(candles, slice(end - W, end)) for end in ends)
    values = [Computation(default_set).compute(MINUTE, piece).slice(W - 1) for piece in pieces]
    assert [len(value) for value in values] == [1] * len(ends)
    # Compared at once: alone, a row costs as much as a thousand.
    found, expected = pa.concat_batches(values), whole.take(pa.array(ends - 1))
    assert wrong(found, expected, candles.close[ends - 1]) == {}, [
        int(end)
        for row, end in enumerate(ends)
        if wrong(found.slice(row, 1), expected.slice(row, 1), candles.close[end - 1 : end])
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_real_series_that_comes_in_any_order_has_the_values_of_one_pass(
    default_set: FeatureSet, wrong, real_market: Market, seed: int
):
    timeframe, candles = real_market
    whole = Computation(default_set).compute(timeframe, candles)
    stored = Stored(candles.open_time, whole.num_columns - 1)
    parts = cuts(len(candles.close), Random(seed), parts=20)
    for number, (first, last) in enumerate(parts, start=1):
        there = np.concatenate([np.arange(*part) for part in sorted(parts[:number])])
        changed = [range_of(candles, first, last)]
        for batch in computed(default_set, (timeframe, rows_of(candles, there)), changed):
            stored.write(batch)
    assert wrong(stored.batch(whole), whole, candles.close) == {}
