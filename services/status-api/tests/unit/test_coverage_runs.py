"""Coverage as runs."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from candlelog.market.slots import SlotRun, SlotState
from status_api.domain.runs import Asked, Covered, covered, runs

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


def slots(start: int, end: int, state: SlotState) -> SlotRun:
    return SlotRun(at(start), at(end), end - start, state, answered=state is not SlotState.UNKNOWN)


def test_a_run_of_slots_says_how_it_was_asked_for_and_when_longest_ago():
    run = slots(0, 9, SlotState.PRESENT)
    (found,) = covered([run], [asked(-5, 4, seen=7), asked(4, 20, seen=3)])
    assert found == Covered(run, "rest", "candles", at(3))


def test_a_run_of_slots_that_was_answered_in_several_ways_names_none():
    run = slots(0, 9, SlotState.OUTAGE)
    (found,) = covered([run], [asked(0, 4, "candles"), asked(4, 9, "empty")])
    assert (found.source, found.outcome) == ("rest", None)


def test_a_run_of_slots_that_nobody_asked_for_says_so():
    run = slots(0, 9, SlotState.UNKNOWN)
    assert covered([run], [asked(9, 20), asked(-4, 0)][::-1]) == [Covered(run, None, None, None)]


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
