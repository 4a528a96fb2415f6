"""Lines in the wrong place, and lines that are there twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.archives.order import Order


def kept(*calls: list[int]) -> list[int]:
    """The times that are kept of those of some calls."""
    order, result = Order(), []
    for times in calls:
        keep, taken_back = order.keep(np.array(times, dtype=np.int64))
        if taken_back:
            result.pop()
        result += np.array(times, dtype=np.int64)[keep].tolist()
    return result


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 2, 3], [1, 2, 3]),
        ([1, 9, 2, 3], [1, 2, 3]),
        ([9, 1, 2, 3], [1, 2, 3]),
        ([2, 3, 4, 1], [2, 3, 4]),
        ([1, 2, 3, 1, 2, 3, 4], [1, 2, 3, 4]),
        ([], []),
    ],
    ids=["in order", "doubled", "too soon", "last first", "first last", "all twice", "nothing"],
)
def test_rows_are_kept_that_are_in_order_without_the_others(times: list[int], expected: list[int]):
    assert kept(times) == expected


def test_a_row_is_taken_back_that_the_next_call_shows_to_be_ahead():
    assert kept([1, 9], [2, 3]) == [1, 2, 3]


rows = st.lists(st.integers(0, 30), max_size=30)


@given(rows)
def test_what_is_kept_increases(times: list[int]):
    result = kept(times)
    assert result == sorted(set(result))


@given(rows, st.data())
def test_it_is_no_matter_where_calls_are_divided(times: list[int], data: st.DataObject):
    place = data.draw(st.integers(0, len(times)))
    assert kept(times[:place], times[place:]) == kept(times)


@given(st.integers(2, 30), st.data())
def test_one_line_in_the_wrong_place_costs_one_row(size: int, data: st.DataObject):
    times = list(range(size))
    moved = times.pop(data.draw(st.integers(0, size - 1)))
    times.insert(data.draw(st.integers(0, size - 1)), moved)
    assert len(kept(times)) >= size - 1
