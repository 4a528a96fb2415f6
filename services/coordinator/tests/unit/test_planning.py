"""Chunks of a plan partition what is asked, and nothing else."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.events.jobs import SubmitJobV1
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange, merge
from candlelog.market.series import Series
from candlelog.market.timeframe import TIMEFRAMES, Timeframe
from coordinator.domain.pieces import chunk_id, pieces
from coordinator.domain.planning import Known, TaskPlan, plan_job
from coordinator.domain.queues import PlannedQueue
from coordinator.domain.routes import Route
from coordinator.domain.submission import series_of

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 3, 1, 12, 0, 30, tzinfo=UTC)
SERIES = Series("binance", "BTC/USDT", "1m")


def submission(**fields: object) -> SubmitJobV1:
    return SubmitJobV1.model_validate(
        {
            "job_id": UUID(int=1),
            "exchange": "binance",
            "symbols": ("BTC/USDT",),
            "timeframes": ("1m",),
            "start": EPOCH,
            "end": EPOCH + timedelta(days=1),
            "submitted_by": "t",
            "submitted_at": NOW,
            **fields,
        }
    )


def plan(command: SubmitJobV1, *covered: TimeRange, page_size: int = 1000) -> TaskPlan:
    venue = profile("binance").model_copy(update={"page_size": page_size})
    series = Series(command.exchange, command.symbols[0], command.timeframes[0])
    (only,) = plan_job(command, venue, Known(covered={series: covered}), NOW)
    return only


def fetching(task: TaskPlan) -> PlannedQueue:
    (only,) = task.queues
    assert only.route is Route.REST
    return only


def all_pieces(task: TaskPlan) -> list[tuple[datetime, datetime, int]]:
    return stretch(task, 0, task.chunks_total)


def stretch(task: TaskPlan, first: int, end: int) -> list[tuple[datetime, datetime, int]]:
    frame = Timeframe.parse(task.series.timeframe)
    return [
        (piece.start, piece.end, piece.slots)
        for queue in task.queues
        for part in queue.ranges
        for piece in pieces(part, frame, queue.piece_slots, first=first, end=end)
    ]


minutes = st.integers(0, 4_000_000).map(lambda m: EPOCH + timedelta(minutes=m, seconds=m % 60))


@given(
    frame=st.sampled_from(TIMEFRAMES).filter(lambda name: name != "2w"),
    edges=st.tuples(minutes, minutes).filter(lambda pair: pair[0] < pair[1]),
    steps=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 200)), max_size=6),
    page_size=st.integers(3, 1000),
)
def test_chunks_hold_every_slot_once_that_is_closed_and_not_covered(
    frame: str,
    edges: tuple[datetime, datetime],
    steps: list[tuple[int, int]],
    page_size: int,
):
    grid = Timeframe.parse(frame)
    start, end = edges[0], min(edges[1], edges[0] + 3000 * (grid.advance(EPOCH, 1) - EPOCH))
    command = submission(start=start, end=end, timeframes=(frame,))
    first = grid.ceil(start)
    covered = merge(
        TimeRange(grid.advance(first, at), grid.advance(first, at + count)) for at, count in steps
    )
    task = plan(command, *covered, page_size=page_size)
    asked: list[int] = []
    for piece_start, piece_end, slots in all_pieces(task):
        times = grid.open_times_ms(piece_start, piece_end).tolist()
        assert slots == len(times) <= page_size
        asked += times
    closed = grid.open_times_ms(start, grid.floor(min(end, NOW))).tolist()
    explained = {t for run in covered for t in grid.open_times_ms(run.start, run.end).tolist()}
    assert asked == [time for time in closed if time not in explained]
    assert task.slots_expected == len(closed)
    assert task.slots_covered == len(closed) - len(asked)
    assert task.chunks_total == len(all_pieces(task))


@given(st.integers(0, 30), st.integers(0, 30))
def test_a_chunk_is_the_same_whichever_stretch_it_is_cut_from(first: int, count: int):
    task = plan(submission(), page_size=50)
    assert stretch(task, first, first + count) == all_pieces(task)[first : first + count]


def test_the_numbers_of_chunks_run_through_all_ranges():
    hole = TimeRange(EPOCH + timedelta(minutes=100), EPOCH + timedelta(minutes=130))
    task = plan(submission(), hole, page_size=60)
    assert [(part.first_chunk, part.end_chunk) for part in fetching(task).ranges] == [
        (0, 2),
        (2, 24),
    ]


def test_what_a_venue_of_newest_candles_can_answer_is_asked_for_first():
    minute, closed = timedelta(minutes=1), NOW.replace(second=0)
    command = submission(exchange="kraken", start=closed - 2000 * minute, end=closed)
    (series,) = series_of(command)
    known = Known(covered={series: [TimeRange(closed - 1900 * minute, closed - 1800 * minute)]})
    (only,) = plan_job(command, profile("kraken"), known, NOW)
    assert [(each.start, each.end) for each in fetching(only).ranges] == [
        (closed - 719 * minute, closed),
        (closed - 2000 * minute, closed - 1900 * minute),
        (closed - 1800 * minute, closed - 719 * minute),
    ]
    assert only.route_reason == (
        "the venue answers its newest 720 candles alone: 1181 of those asked for are older"
    )


def test_a_range_without_a_slot_is_a_task_without_a_chunk():
    task = plan(submission(start=EPOCH + timedelta(seconds=1), end=EPOCH + timedelta(seconds=59)))
    assert (task.chunks_total, task.slots_expected, task.start) == (0, 0, task.end)


def test_the_candle_that_is_open_now_is_not_asked_for():
    task = plan(submission(start=NOW - timedelta(minutes=10), end=NOW))
    assert task.end == NOW.replace(second=0)


def test_a_symbol_or_timeframe_named_twice_is_one_task():
    command = submission(symbols=("A/B", "A/B", "C/D"), timeframes=("1m", "1m", "1h"))
    plans = plan_job(command, profile("binance"), Known(), NOW)
    assert [(p.series.symbol, p.series.timeframe) for p in plans] == [
        ("A/B", "1m"), ("A/B", "1h"), ("C/D", "1m"), ("C/D", "1h"),
    ]  # fmt: skip
    assert len({p.task_id for p in plans}) == 4


def test_a_chunk_has_an_id_of_its_own_and_always_the_same():
    task = plan(submission())
    frame = Timeframe.parse("1m")
    found = list(pieces(fetching(task).ranges[0], frame, 1000, first=0, end=2))
    ids = [chunk_id(UUID(int=1), SERIES, piece, way="rest") for piece in found]
    assert ids == [chunk_id(UUID(int=1), SERIES, piece, way="rest") for piece in found]
    others = {chunk_id(uuid4(), SERIES, found[1], way="rest"),
              chunk_id(UUID(int=1), SERIES, found[1], way="features default/1")}  # fmt: skip
    assert len({*ids, *others}) == 4


def test_five_hundred_symbols_over_five_years_are_planned_without_listing_chunks():
    symbols = tuple(f"S{n}/USDT" for n in range(500))
    command = submission(symbols=symbols, start=NOW - timedelta(days=5 * 365), end=NOW)
    plans = plan_job(command, profile("binance"), Known(), NOW)
    assert sum(p.chunks_total for p in plans) == 1_314_000
    assert sum(len(fetching(p).ranges) for p in plans) == 500


@pytest.mark.parametrize("frame", ["1M", "1w", "3d"])
def test_ranges_of_uneven_grids_join_without_a_hole(frame: str):
    task = plan(
        submission(timeframes=(frame,), start=EPOCH, end=EPOCH + timedelta(days=1200)), page_size=7
    )
    for (_, end, _), (start, _, _) in pairwise(all_pieces(task)):
        assert end == start
