"""Coverage as runs."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from status_api.domain.runs import Asked, clip, runs

T0 = datetime(2024, 2, 1, tzinfo=UTC)


def at(minute: int) -> datetime:
    return T0 + timedelta(minutes=minute)


def asked(start: int, end: int, outcome: str = "candles", seen: int = 0) -> Asked:
    return Asked(at(start), at(end), "rest", outcome, at(seen))


def test_ranges_that_touch_and_say_the_same_are_one_run():
    assert runs([asked(0, 5, seen=9), asked(5, 9, seen=8)]) == [asked(0, 9, seen=8)]


def test_ranges_apart_stay_apart():
    assert runs([asked(0, 5), asked(6, 9)]) == [asked(0, 5), asked(6, 9)]


def test_where_ranges_overlap_the_newest_answer_counts():
    found = runs([asked(0, 9, "empty", 1), asked(3, 5, "candles", 2)])
    assert found == [asked(0, 3, "empty", 1), asked(3, 5, "candles", 2), asked(5, 9, "empty", 1)]


def test_runs_are_cut_to_what_was_asked():
    assert clip([asked(0, 5), asked(6, 9)], at(2), at(6)) == [asked(2, 5)]


ranges = st.builds(
    lambda start, size, outcome, seen: asked(start, start + size, outcome, seen),
    st.integers(0, 40),
    st.integers(1, 20),
    st.sampled_from(["candles", "empty"]),
    st.integers(0, 1000),
)


@given(st.lists(ranges, max_size=12, unique_by=lambda each: each.observed_at))
def test_every_minute_says_what_its_newest_range_says(found: list[Asked]):
    merged = runs(found)
    for minute in range(61):
        holding = [each for each in found if each.start <= at(minute) < each.end]
        shown = [each.outcome for each in merged if each.start <= at(minute) < each.end]
        newest = max(holding, key=lambda each: each.observed_at, default=None)
        assert shown == ([] if newest is None else [newest.outcome])
    for one, two in pairwise(merged):
        assert one.end < two.start or (one.end == two.start and one.outcome != two.outcome)
