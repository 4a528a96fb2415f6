"""Range algebra, against sets of instants."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.errors import Invalid
from candlelog.market.ranges import TimeRange, merge, subtract

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


def at(hour: int) -> datetime:
    return EPOCH + timedelta(hours=hour)


ranges = st.tuples(st.integers(0, 40), st.integers(1, 10)).map(
    lambda pair: TimeRange(at(pair[0]), at(pair[0] + pair[1]))
)


def hours(some: list[TimeRange]) -> set[int]:
    return {hour for hour in range(60) for each in some if each.start <= at(hour) < each.end}


@given(st.lists(ranges, max_size=8))
def test_merge_keeps_the_same_instants(some: list[TimeRange]):
    assert hours(merge(some)) == hours(some)


@given(st.lists(ranges, max_size=8))
def test_merged_ranges_neither_touch_nor_overlap(some: list[TimeRange]):
    merged = merge(some)
    assert all(a.end < b.start for a, b in pairwise(merged))


@given(ranges, st.lists(ranges, max_size=8))
def test_subtract_leaves_what_is_in_none(whole: TimeRange, covered: list[TimeRange]):
    assert hours(subtract(whole, covered)) == hours([whole]) - hours(covered)


def test_an_empty_range_is_refused():
    with pytest.raises(Invalid, match="is not before"):
        TimeRange(EPOCH, EPOCH)
