"""Gaps become tasks that ask for their slots, and for no others."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.errors import Invalid
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.jobs import FillGapsV1, GapToFill
from candlelog.market.profile import profile
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.pieces import pieces
from coordinator.domain.planning import Marks, TaskPlan
from coordinator.domain.repairs import plan_repair
from coordinator.domain.submission import check, series_of

NOW = datetime(2024, 3, 1, 12, 0, 30, tzinfo=UTC)
START = datetime(2024, 2, 1, tzinfo=UTC)


def gap(first: int, last: int, symbol: str = "BTC/USDT", timeframe: str = "1m") -> GapToFill:
    """Slots `[first, last)` of a timeframe, counted from the first of February."""
    grid = Timeframe.parse(timeframe)
    start = grid.floor(START)
    return GapToFill(
        gap_id=uuid4(), symbol=symbol, timeframe=timeframe,
        start=grid.advance(start, first), end=grid.advance(start, last),
    )  # fmt: skip


def repair(*gaps: GapToFill, exchange: str = "binance") -> FillGapsV1:
    return FillGapsV1(
        job_id=UUID(int=1), exchange=exchange, gaps=gaps, submitted_by="t", submitted_at=NOW
    )


def plan(*gaps: GapToFill, marks: Marks | None = None) -> list[TaskPlan]:
    return plan_repair(repair(*gaps), profile("binance"), marks or {}, NOW)


def asked(task: TaskPlan) -> list[int]:
    """The open times of all chunks, in their order, in milliseconds."""
    frame = Timeframe.parse(task.series.timeframe)
    return [
        time
        for queue in task.queues
        for part in queue.ranges
        for piece in pieces(part, frame, queue.piece_slots, first=0, end=queue.chunks_total)
        for time in frame.open_times_ms(piece.start, piece.end).tolist()
    ]


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 1500)), min_size=1, max_size=8),
    st.sampled_from(["1m", "15m", "1h"]),
)
def test_the_slots_of_the_gaps_are_asked_for_once_each_and_no_others(
    gaps: list[tuple[int, int]], frame: str
):
    given_gaps = [gap(at, at + count, timeframe=frame) for at, count in gaps]
    grid = Timeframe.parse(frame)
    closed = grid.floor(NOW)
    (task,) = plan(*given_gaps)
    expected = {
        time
        for each in given_gaps
        if each.start < closed
        for time in grid.open_times_ms(each.start, min(each.end, closed)).tolist()
    }
    assert asked(task) == sorted(expected)
    assert (task.slots_expected, task.slots_covered) == (len(expected), 0)


def test_gaps_that_touch_are_one_range():
    (task,) = plan(gap(10, 20), gap(30, 40), gap(20, 25))
    (queue,) = task.queues
    minutes = [
        ((r.start - START).seconds // 60, (r.end - START).seconds // 60) for r in queue.ranges
    ]
    assert minutes == [(10, 25), (30, 40)]
    assert task.chunks_total == 2


def test_each_series_is_a_task_that_spans_its_gaps():
    plans = plan(gap(50, 60, "B/C"), gap(5, 6), gap(10, 20, "B/C"), gap(1, 2, timeframe="1h"))
    assert [(p.series.symbol, p.series.timeframe, p.chunks_total) for p in plans] == [
        ("B/C", "1m", 2), ("BTC/USDT", "1m", 1), ("BTC/USDT", "1h", 1),
    ]  # fmt: skip
    assert (plans[0].start, plans[0].end) == (gap(10, 20).start, gap(50, 60).end)


def test_a_gap_that_is_still_open_holds_no_slot_yet():
    start = NOW.replace(second=0)
    open_gap = GapToFill(
        gap_id=uuid4(), symbol="BTC/USDT", timeframe="1m", start=start,
        end=start + timedelta(minutes=9),
    )  # fmt: skip
    (task,) = plan(open_gap)
    assert (task.queues, task.slots_expected, task.start) == ((), 0, task.end)


def test_chunks_of_a_repair_carry_the_sets_of_their_series():
    marks = {Series("binance", "BTC/USDT", "1m"): {DEFAULT: False}}
    with_sets, without = plan(gap(1, 2), gap(1, 2, "ETH/USDT"), marks=marks)
    assert [queue.ranges[0].feature_sets for queue in with_sets.queues] == [(DEFAULT,)]
    assert [queue.ranges[0].feature_sets for queue in without.queues] == [()]


def test_a_sound_repair_passes_and_names_each_series_once():
    command = repair(gap(1, 2), gap(3, 4), gap(1, 2, timeframe="1w"))
    assert check(command).name == "binance"
    assert series_of(command) == [
        Series("binance", "BTC/USDT", "1m"), Series("binance", "BTC/USDT", "1w"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (repair(gap(1, 2), exchange="binanse"), "did you mean binance"),
        (repair(gap(1, 2).model_copy(update={"timeframe": "7m"})), "unknown timeframe '7m'"),
        (repair(gap(1, 2, timeframe="2w")), "has no timeframe '2w'"),
        (repair(gap(1, 2), gap(2, 2)), "start must be before end"),
        (repair(gap(1, 2).model_copy(update={"timeframe": "1h"})), "not on the grid of 1h"),
        (
            repair(gap(1, 2).model_copy(update={"end": START + timedelta(seconds=61)})),
            "not on the grid of 1m",
        ),
    ],
)
def test_a_repair_that_breaks_a_rule_is_refused_with_the_reason(command: FillGapsV1, reason: str):
    with pytest.raises(Invalid, match=reason.replace("'", ".")):
        check(command)
