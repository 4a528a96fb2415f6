"""Which rows are written and read when candles changed, against a count of rows."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, milliseconds
from featurizer.domain.windows import W, Window, together, windows

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


def minute(number: int) -> datetime:
    return EPOCH + timedelta(minutes=number)


@st.composite
def open_times(draw: st.DrawFn) -> NDArray[np.int64]:
    rows, missing = draw(st.integers(0, 9000)), draw(st.floats(0, 0.9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    minutes = np.flatnonzero(rng.random(rows) >= missing)
    return milliseconds(EPOCH) + minutes * 60_000


changes = st.lists(
    st.tuples(st.integers(-500, 9500), st.integers(1, 3000)).map(
        lambda pair: TimeRange(minute(pair[0]), minute(sum(pair)))
    ),
    max_size=6,
)


def changed_rows(changed: list[TimeRange], times: NDArray[np.int64]) -> NDArray[np.bool_]:
    inside = np.zeros(len(times), dtype=bool)
    for each in changed:
        inside |= (times >= milliseconds(each.start)) & (times < milliseconds(each.end))
    return inside


@given(changes, open_times())
def test_a_row_is_written_when_one_of_its_last_w_rows_changed(
    changed: list[TimeRange], times: NDArray[np.int64]
):
    seen = np.concatenate([[0], np.cumsum(changed_rows(changed, times))])
    first = np.maximum(np.arange(len(times)) - W + 1, 0)
    expected = seen[1:] > seen[first]
    written = np.zeros(len(times), dtype=bool)
    for each in windows(changed, times):
        written[each.start : each.end] = True
    assert np.array_equal(written, expected)


@given(changes, open_times())
def test_each_written_row_is_read_with_the_w_rows_that_end_with_it_or_all_there_are(
    changed: list[TimeRange], times: NDArray[np.int64]
):
    for each in windows(changed, times):
        assert each.read_from == max(0, each.start - (W - 1))
        assert each.read_from + each.skipped == each.start


@given(changes, open_times())
def test_windows_are_in_order_and_apart(changed: list[TimeRange], times: NDArray[np.int64]):
    found = windows(changed, times)
    bounds = [bound for each in found for bound in (each.start, each.end)]
    assert bounds == sorted(set(bounds))


@given(changes, open_times(), st.randoms())
def test_the_order_of_changes_does_not_matter(changed, times, random):  # pyright: ignore
    shuffled = random.sample(changed, len(changed))
    assert windows(shuffled, times) == windows(changed, times)


@given(changes, open_times())
def test_rows_further_away_than_w_need_not_be_known(
    changed: list[TimeRange], times: NDArray[np.int64]
):
    changed_at = np.flatnonzero(changed_rows(changed, times))
    near = np.zeros(len(times), dtype=bool)
    for row in changed_at:
        near[max(0, row - W) : row + W + 1] = True
    known = times[near]

    def written(open_times: NDArray[np.int64]) -> list[tuple[int, int, int]]:
        return [
            (open_times[each.read_from], open_times[each.start], open_times[each.end - 1])
            for each in windows(changed, open_times)
        ]

    assert written(known) == written(times)


def test_a_range_without_a_row_touches_nothing():
    times = milliseconds(EPOCH) + np.arange(10) * 60_000
    assert windows([TimeRange(minute(10), minute(20))], times) == []


def test_a_change_at_the_end_touches_its_own_rows_alone():
    times = milliseconds(EPOCH) + np.arange(5000) * 60_000
    assert windows([TimeRange(minute(4990), minute(5000))], times) == [
        Window(read_from=4990 - W + 1, start=4990, end=5000)
    ]


def spans(*bounds: tuple[int, int]) -> list[TimeRange]:
    return [TimeRange(minute(start), minute(end)) for start, end in bounds]


def grouped(changed: list[TimeRange], most: int) -> list[list[TimeRange]]:
    return [list(group) for group in together(changed, Timeframe.parse("1m"), most)]


def test_spans_are_read_at_once_where_what_lies_between_is_read_anyway():
    near = spans((0, 10), (10 + 2 * W, 9_000))
    far = spans((0, 10), (11 + 2 * W, 9_000))
    assert grouped(near, most=9_000) == [near]
    assert grouped(far, most=9_000) == [far[:1], far[1:]]


def test_spans_that_are_read_at_once_reach_over_no_more_than_may_be_read():
    two = spans((0, 10), (100, 200))
    assert grouped(two, most=200) == [two]
    assert grouped(two, most=199) == [two[:1], two[1:]]


def test_a_span_that_is_longer_than_may_be_read_stands_alone():
    long = spans((0, 500), (600, 700))
    assert grouped(long, most=300) == [long[:1], long[1:]]
