"""Which chunks compute features of what is stored already, and which chunks carry the sets."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from candlelog.events.feature_sets import DEFAULT, FeatureSetRef
from candlelog.events.fields import EARLIEST, LATEST
from candlelog.events.jobs import SubmitJobV1
from candlelog.events.replay import ReplayRequestedV1
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.states import Status
from candlelog.market.timeframe import TIMEFRAMES, Timeframe
from coordinator.domain.history import PIECE_SLOTS
from coordinator.domain.jobs import Job
from coordinator.domain.planning import Known, TaskPlan, plan_job
from coordinator.domain.queues import PlannedQueue
from coordinator.domain.releasing import Released, Stretch, cut, requests
from coordinator.domain.routes import Route

NOW = datetime(2024, 3, 1, 12, 0, 30, tzinfo=UTC)
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
WINDOW = TimeRange(START, END)
OTHER = FeatureSetRef(name="my/own", version=12)
JOB = Job(UUID(int=1), "binance", Status.RUNNING, 2, 0, 3, None)


def plan(
    *sets: FeatureSetRef,
    marks: dict[FeatureSetRef, bool],
    frame: str = "1m",
    stored: TimeRange | None = None,
    pending: TimeRange | None = None,
    covered: TimeRange | None = None,
) -> TaskPlan:
    series = Series("binance", "BTC/USDT", frame)
    command = SubmitJobV1(
        job_id=JOB.job_id, exchange="binance", symbols=("BTC/USDT",), timeframes=(frame,),
        start=START, end=END, features=bool(sets), feature_sets=sets, submitted_by="t",
        submitted_at=NOW,
    )  # fmt: skip
    known = Known(
        marks={series: marks},
        stored={series: stored} if stored else {},
        pending={series: [pending]} if pending else {},
        covered={series: [covered]} if covered else {},
    )
    (only,) = plan_job(command, profile("binance"), known, NOW)
    return only


def queue(task: TaskPlan, route: Route) -> PlannedQueue | None:
    found = [each for each in task.queues if each.route is route]
    assert len(found) <= 1
    return found[0] if found else None


def chunks(task: TaskPlan, route: Route) -> list[Released]:
    line = queue(task, route)
    if line is None:
        return []
    symbol, frame = task.series.symbol, task.series.timeframe
    return [
        chunk
        for part in line.ranges
        for chunk in cut(
            Stretch(
                JOB.job_id, task.task_id, symbol, frame, route, line.piece_slots, 0,
                line.chunks_total, part,
            ),
            JOB,
            NOW,
        )
    ]  # fmt: skip


def computed(task: TaskPlan) -> list[tuple[datetime, datetime]]:
    return [(chunk.start, chunk.end) for chunk in chunks(task, Route.FEATURES)]


moments = st.integers(0, 8_000_000).map(lambda minute: START - timedelta(minutes=minute))


@given(
    frame=st.sampled_from(TIMEFRAMES).filter(lambda name: name != "2w"),
    edges=st.tuples(moments, moments).filter(lambda pair: pair[0] < pair[1]),
)
def test_feature_chunks_of_a_series_leave_no_time_out(frame: str, edges: tuple[datetime, datetime]):
    grid = Timeframe.parse(frame)
    start = grid.floor(edges[0])
    stored = TimeRange(start, grid.advance(grid.floor(edges[1]), 1))
    task = plan(DEFAULT, marks={DEFAULT: False}, frame=frame, stored=stored)
    found = computed(task)
    assert found[0][0] <= grid.ceil(EARLIEST)
    assert LATEST - timedelta(days=70) < found[-1][1] < LATEST
    for (_, end), (start, _) in pairwise(found):
        assert end == start
    for start, end in found[1:-1]:
        assert grid.count(start, end) == PIECE_SLOTS
    last_start, _ = found[-1]
    assert grid.count(last_start, stored.end) <= PIECE_SLOTS
    assert found[0][1] <= stored.start or found[0][0] == stored.start


def test_a_series_of_which_nothing_is_stored_has_one_feature_chunk():
    (only,) = computed(plan(DEFAULT, marks={DEFAULT: False}))
    assert only == (EARLIEST, datetime(2199, 12, 31, tzinfo=UTC))


def test_five_years_of_minutes_are_cut_into_pieces():
    stored = TimeRange(START - timedelta(days=5 * 365), START)
    task = plan(DEFAULT, marks={DEFAULT: False}, stored=stored)
    assert len(computed(task)) == 1 + 132


def test_a_set_that_the_series_has_completely_is_not_computed_again():
    task = plan(DEFAULT, marks={DEFAULT: True}, stored=WINDOW)
    assert computed(task) == []
    assert task.chunks_total == 2


def test_a_task_that_has_all_its_slots_and_features_has_nothing_to_do():
    task = plan(DEFAULT, marks={DEFAULT: True}, stored=WINDOW, covered=WINDOW)
    assert (task.queues, task.chunks_total) == ((), 0)


def test_a_task_that_has_all_its_slots_but_not_its_features_computes_them():
    task = plan(DEFAULT, marks={DEFAULT: False}, stored=WINDOW, covered=WINDOW)
    assert chunks(task, Route.REST) == []
    assert task.chunks_total == len(computed(task)) == 2
    assert task.slots_expected == task.slots_covered == 1440


def test_what_another_job_stores_just_now_is_waited_for_where_it_lies_in_the_window():
    inside = TimeRange(END - timedelta(hours=1), END + timedelta(hours=1))
    task = plan(DEFAULT, marks={DEFAULT: True}, covered=WINDOW, pending=inside)
    assert computed(task) == [(inside.start, inside.end)]
    outside = TimeRange(END, END + timedelta(hours=1))
    assert computed(plan(DEFAULT, marks={DEFAULT: True}, covered=WINDOW, pending=outside)) == []


def test_fetch_chunks_carry_every_set_of_the_series_whoever_asked_for_it():
    task = plan(DEFAULT, marks={OTHER: True, DEFAULT: False})
    assert {chunk.feature_sets for chunk in chunks(task, Route.REST)} == {(OTHER, DEFAULT)}
    assert {chunk.feature_sets for chunk in chunks(task, Route.FEATURES)} == {(DEFAULT,)}


def test_a_job_without_features_carries_the_sets_of_the_series_and_computes_no_history():
    task = plan(marks={DEFAULT: False})
    assert [chunk.feature_sets for chunk in chunks(task, Route.REST)] == [(DEFAULT,)] * 2
    assert computed(task) == []


def test_a_series_without_a_set_is_fetched_without():
    task = plan(marks={})
    assert [chunk.feature_sets for chunk in chunks(task, Route.REST)] == [()] * 2
    assert task.feature_sets == ()


def test_the_same_range_is_a_chunk_of_its_own_for_each_set():
    task = plan(DEFAULT, OTHER, marks={DEFAULT: False, OTHER: False})
    found = chunks(task, Route.FEATURES)
    assert [chunk.feature_sets for chunk in found] == [(DEFAULT,), (OTHER,)]
    assert len({chunk.chunk_id for chunk in found}) == 2


def test_a_feature_chunk_is_asked_of_those_who_compute():
    (chunk,) = chunks(plan(DEFAULT, marks={DEFAULT: False}), Route.FEATURES)
    request, released = requests(chunk, JOB, NOW)
    assert isinstance(request, ReplayRequestedV1)
    assert (request.feature_set, request.build, request.release) == (DEFAULT, 0, 1)
    assert released.route == "features"
    assert chunk.due_at - NOW == timedelta(minutes=5)
