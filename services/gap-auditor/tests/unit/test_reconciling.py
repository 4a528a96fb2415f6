"""After an audit the open gaps are the runs nothing explains; none is lost and none is doubled."""

from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun, SlotState
from gap_auditor.domain.gaps import Gap, GapState, asked
from gap_auditor.domain.reconciling import Audit, reconcile

SERIES = Series("binance", "BTC/USDT", "1m")
NOW = datetime(2024, 3, 1, tzinfo=UTC)
JOB, OTHER = UUID(int=1), UUID(int=2)
SLOTS = 16


def at(slot: int) -> datetime:
    return datetime(2024, 2, 1, tzinfo=UTC) + timedelta(minutes=slot)


def place(time: datetime) -> int:
    return (time - at(0)) // timedelta(minutes=1)


def gap(start: int, end: int, state: GapState = GapState.DETECTED, job: UUID | None = None) -> Gap:
    return Gap(SERIES, at(start), at(end), state, job, NOW)


def audit(start: int, states: str, *ended: UUID) -> Audit:
    """One letter a slot from `start` on: `.` explained, `?` unknown, `x` unknown but answered."""
    runs: list[SlotRun] = []
    slot = start
    for explained, letters in groupby(states, lambda letter: letter == "."):
        part = list(letters)
        state = SlotState.PRESENT if explained else SlotState.UNKNOWN
        answered = explained or set(part) == {"x"}
        runs.append(SlotRun(at(slot), at(slot + len(part)), len(part), state, answered))
        slot += len(part)
    return Audit(SERIES, TimeRange(at(start), at(slot)), runs, frozenset(ended), NOW)


def told(gaps: list[Gap]) -> list[tuple[int, int, str]]:
    return [(place(each.start), place(each.end), each.state.value) for each in gaps]


def test_what_is_unknown_for_the_first_time_is_detected():
    assert told(reconcile([], audit(0, "??..?"))) == [(0, 2, "detected"), (4, 5, "detected")]


def test_a_gap_that_is_as_it_was_is_not_told_of():
    assert reconcile([gap(1, 3)], audit(0, ".??.")) == []


def test_a_gap_of_which_nothing_is_left_is_filled():
    assert told(reconcile([gap(1, 3)], audit(0, "...."))) == [(1, 3, "filled")]


def test_a_gap_that_loses_its_end_is_the_same_gap():
    (after,) = reconcile([gap(1, 4)], audit(0, ".?..."))
    assert told([after]) == [(1, 2, "detected")]
    assert after.gap_id == gap(1, 4).gap_id


def test_what_is_left_of_a_gap_that_loses_its_start_is_a_gap_in_its_state():
    found = reconcile([gap(1, 4, GapState.FILLING, JOB)], audit(0, "...?."))
    assert told(found) == [(1, 3, "filled"), (3, 4, "filling")]
    assert found[1].job_id == JOB


def test_a_gap_that_falls_in_two_is_two_in_its_state():
    found = reconcile([gap(0, 5, GapState.FAILED, JOB)], audit(0, "?..??"))
    assert told(found) == [(0, 1, "failed"), (3, 5, "failed")]


def test_a_gap_that_turns_out_to_begin_earlier_is_merged_into_the_one_that_does():
    found = reconcile([gap(3, 5)], audit(0, ".??"))
    assert told(found) == [(3, 5, "merged"), (1, 5, "detected")]


def test_two_gaps_with_the_space_between_them_are_one():
    found = reconcile([gap(0, 2), gap(4, 6)], audit(2, "??"))
    assert told(found) == [(4, 6, "merged"), (0, 6, "detected")]


def test_what_lies_outside_of_the_window_stays_as_it_was():
    found = reconcile([gap(0, 10)], audit(4, ".."))
    assert told(found) == [(0, 4, "detected"), (6, 10, "detected")]


def test_a_gap_that_its_repair_has_left_is_failed():
    before = [asked(gap(0, 2), JOB, ended=False), asked(gap(4, 6), OTHER, ended=False)]
    assert told(reconcile(before, audit(0, "?x..??", JOB))) == [(0, 2, "failed")]


def test_a_gap_of_which_a_repair_has_got_only_refused_rows_is_unfillable():
    before = [asked(gap(0, 2), JOB, ended=False)]
    assert told(reconcile(before, audit(0, "xx..", JOB))) == [(0, 2, "unfillable")]


def test_a_gap_without_a_repair_stays_detected_whoever_has_ended():
    assert reconcile([gap(0, 2)], audit(0, "xx.", JOB)) == []


def test_the_id_of_a_gap_follows_from_series_and_start():
    other = Series("binance", "ETH/USDT", "1m")
    ids = {
        each.gap_id
        for each in (
            gap(0, 2),
            gap(0, 3, GapState.FILLED),
            gap(1, 2),
            Gap(other, at(0), at(2), GapState.DETECTED, None, NOW),
        )
    }
    assert len(ids) == 3


windows = st.tuples(st.integers(0, SLOTS - 1), st.text("..?x", min_size=1, max_size=8)).map(
    lambda drawn: (drawn[0], drawn[1][: SLOTS - drawn[0]])
)
steps = st.lists(st.tuples(windows, st.sampled_from([None, JOB, OTHER])), max_size=12)


@given(steps)
def test_open_gaps_are_the_unknown_runs_whatever_was_audited_in_which_order(steps):
    seen: dict[int, bool] = {}
    records: dict[UUID, Gap] = {}
    for (start, letters), job in steps:
        this = audit(start, letters, *([job] if job else ()))
        seen |= {start + number: letter != "." for number, letter in enumerate(letters)}
        known = sorted(
            (
                each
                for each in records.values()
                if each.open and each.start <= this.window.end and each.end >= this.window.start
            ),
            key=lambda each: each.start,
        )
        changed = reconcile(known, this)
        assert len({each.gap_id for each in changed}) == len(changed), "told of once"
        assert all(records.get(each.gap_id) != each for each in changed), "told of for a reason"
        records |= {each.gap_id: each for each in changed}
        if job:
            records |= {
                key: asked(each, job, ended=False) for key, each in records.items() if each.open
            }
    assert open_ranges(records) == unknown_runs(seen)
    assert all(key == each.gap_id for key, each in records.items())


def open_ranges(records: dict[UUID, Gap]) -> list[tuple[int, int]]:
    found = [each for each in records.values() if each.open]
    return sorted((place(each.start), place(each.end)) for each in found)


def unknown_runs(seen: dict[int, bool]) -> list[tuple[int, int]]:
    slots = [slot for slot in range(SLOTS) if seen.get(slot, False)]
    runs: list[tuple[int, int]] = []
    for slot in slots:
        if runs and runs[-1][1] == slot:
            runs[-1] = (runs[-1][0], slot + 1)
        else:
            runs.append((slot, slot + 1))
    return runs
