"""Jobs that ask for features, and series that have them from then on."""

from datetime import timedelta
from uuid import uuid4

import pytest

from candlelog.events.feature_sets import DEFAULT, FeatureSetRef
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.fields import EARLIEST
from candlelog.events.jobs import CancelJobV1
from candlelog.events.progress import (
    ChunkFailedV1,
    ChunkReleasedV1,
    FeaturesStoredV1,
    JobAcceptedV1,
    TaskPlannedV1,
)
from candlelog.events.replay import ReplayRequestedV1
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from coordinator.adapters.memory import Observation

pytestmark = pytest.mark.connected

SERIES = Series("binance", "BTC/USDT", "1m")
HOUR = timedelta(hours=1)
OTHER = FeatureSetRef(name="my/own", version=12)


@pytest.fixture
def with_features(submission):
    """A job of three pages that asks for features, but for what is said otherwise."""

    def make(*sets: FeatureSetRef, **fields: object):
        return submission(features=True, feature_sets=sets or (DEFAULT,), **fields)

    return make


def explain(desk, job) -> None:
    """Everything the job could ask for is stored."""
    whole = TimeRange(job.start, job.end)
    desk.coverage.observations.append(Observation(SERIES, whole, job.submitted_at))


def replays(desk, job) -> list[ReplayRequestedV1]:
    return [event for event in desk.said(ReplayRequestedV1) if event.job_id == job.job_id]


async def completed_by(desk) -> dict[str, object]:
    rows = await desk.pool.fetch("SELECT * FROM series_features")
    return {row["feature_set"]: row["job_id"] if row["complete"] else None for row in rows}


async def test_the_first_job_computes_what_is_stored_and_what_it_fetches(desk, with_features):
    job = with_features()
    await desk.say(job)
    await desk.finish()
    requests = desk.said(FetchRequestedV1)
    assert {request.feature_sets for request in requests} == {(DEFAULT,)}
    (replay,) = replays(desk, job)
    assert (replay.start, replay.feature_set, replay.release) == (EARLIEST, DEFAULT, 1)
    (planned,), (accepted,) = desk.said(TaskPlannedV1), desk.said(JobAcceptedV1)
    assert (planned.features, planned.chunks_total, planned.slots_expected) == (True, 4, 2500)
    assert accepted.chunks_total == 4
    assert {event.route for event in desk.said(ChunkReleasedV1)} == {"rest", "features"}
    assert desk.states(job.job_id) == ["queued", "running", "completed"]
    assert await completed_by(desk) == {"default/1": job.job_id}
    kept = {name: len(rows) for name, rows in (await desk.tables()).items() if rows}
    assert kept == {"jobs": 1, "tasks": 1, "series_features": 1}


async def test_a_job_waits_for_the_features_of_the_candles_it_has_stored(desk, with_features):
    job = with_features()
    desk.compute = lambda request: (
        desk.computed(request) if isinstance(request, ReplayRequestedV1) else []
    )
    await desk.say(job)
    await desk.finish()
    assert desk.states(job.job_id) == ["queued", "running"]
    await desk.say(*(e for request in desk.said(FetchRequestedV1) for e in desk.computed(request)))
    await desk.finish()
    assert desk.states(job.job_id)[-1] == "completed"


async def test_a_job_waits_for_the_features_of_what_was_stored_before(desk, with_features):
    job = with_features()
    desk.compute = lambda request: (
        desk.computed(request) if isinstance(request, FetchRequestedV1) else []
    )
    await desk.say(job)
    await desk.finish()
    assert desk.states(job.job_id) == ["queued", "running"]
    assert await completed_by(desk) == {"default/1": None}
    await desk.say(*(e for replay in replays(desk, job) for e in desk.computed(replay)))
    await desk.finish()
    assert desk.states(job.job_id)[-1] == "completed"


async def test_features_that_are_told_of_before_their_candles_count_all_the_same(
    desk, with_features
):
    job = with_features()
    desk.answer = lambda request: []
    await desk.say(job)
    await desk.finish()
    assert desk.states(job.job_id) == ["queued", "running"]
    await desk.say(*(e for request in desk.said(FetchRequestedV1) for e in desk.stored(request)))
    await desk.finish()
    assert desk.states(job.job_id)[-1] == "completed"


async def test_chunks_whose_features_are_awaited_take_credit(desk, with_features):
    job = with_features(end=with_features().start + timedelta(minutes=9000))
    desk.compute = lambda request: []
    await desk.say(job)
    await desk.finish()
    assert len(desk.said(FetchRequestedV1)) == desk.in_flight
    desk.compute = desk.computed
    await desk.say(*(e for request in desk.said(FetchRequestedV1) for e in desk.computed(request)))
    await desk.finish()
    assert len(desk.said(FetchRequestedV1)) == 9


async def test_feature_chunks_take_none_of_the_credit_of_the_venue(desk, with_features):
    symbols = tuple(f"S{n}/USDT" for n in range(9))
    desk.compute = lambda request: []
    await desk.say(with_features(symbols=symbols))
    await desk.work()
    assert len(desk.said(ReplayRequestedV1)) == 9
    assert len(desk.said(FetchRequestedV1)) == desk.in_flight


async def test_the_log_has_the_wish_for_features_of_a_series_before_that_for_its_candles(
    desk, with_features
):
    await desk.say(with_features())
    await desk.work()
    assert [event.route for event in desk.said(ChunkReleasedV1)] == ["features"] + ["rest"] * 3


async def test_a_series_that_has_its_features_is_not_computed_again(desk, with_features):
    first, second = with_features(), with_features(incremental=False)
    for job in (first, second):
        await desk.say(job)
        await desk.finish()
    assert (len(replays(desk, first)), len(replays(desk, second))) == (1, 0)
    assert desk.states(second.job_id)[-1] == "completed"
    assert await completed_by(desk) == {"default/1": first.job_id}


async def test_a_job_whose_slots_and_features_are_stored_is_completed_at_once(desk, with_features):
    first, second = with_features(), with_features()
    await desk.say(first)
    await desk.finish()
    explain(desk, second)
    await desk.say(second)
    await desk.finish()
    assert desk.states(second.job_id) == ["queued", "completed"]


async def test_a_job_whose_slots_are_stored_still_computes_their_features(desk, with_features):
    job = with_features()
    explain(desk, job)
    await desk.say(job)
    await desk.finish()
    assert desk.said(FetchRequestedV1) == []
    parts = sorted((replay.start, replay.end) for replay in replays(desk, job))
    assert [(start, end > job.end) for start, end in parts] == [
        (EARLIEST, False), (job.start, True),
    ]  # fmt: skip
    assert parts[0][1] == job.start
    assert desk.states(job.job_id) == ["queued", "running", "completed"]


async def test_until_some_job_has_computed_a_series_every_job_that_asks_does(desk, with_features):
    first, second = with_features(), with_features()
    desk.compute = lambda request: []
    await desk.say(first, second)
    await desk.finish()
    assert (len(replays(desk, first)), len(replays(desk, second))) == (1, 1)
    await desk.say(*desk.computed(replays(desk, second)[0]))
    await desk.finish()
    assert await completed_by(desk) == {"default/1": second.job_id}
    await desk.say(*desk.computed(replays(desk, first)[0]))
    await desk.finish()
    assert await completed_by(desk) == {"default/1": second.job_id}


async def test_a_job_cancelled_halfway_leaves_a_series_that_the_next_job_computes(
    desk, with_features
):
    first, second = with_features(), with_features()
    desk.compute = lambda request: []
    await desk.say(first)
    await desk.finish()
    cancel = CancelJobV1(
        job_id=first.job_id, correlation_id=uuid4(), requested_by="t",
        requested_at=desk.clock.now(),
    )  # fmt: skip
    await desk.say(cancel)
    await desk.finish()
    assert desk.states(first.job_id)[-1] == "cancelled"
    assert await completed_by(desk) == {"default/1": None}
    desk.compute = desk.computed
    await desk.say(second)
    await desk.finish()
    assert len(replays(desk, second)) == 1
    assert desk.states(second.job_id)[-1] == "completed"
    assert await completed_by(desk) == {"default/1": second.job_id}


def failure(request) -> ChunkFailedV1:
    names = request.model_dump(include={"job_id", "task_id", "chunk_id", "generation", "release"})
    return ChunkFailedV1(
        **names, code="c", message="m", transient=False, attempt=1, max_attempts=1,
        failed_at=request.end,
    )  # fmt: skip


async def test_a_series_whose_features_failed_is_computed_by_the_next_job(desk, with_features):
    first, second = with_features(), with_features()
    desk.compute = lambda request: (
        [failure(request)] if isinstance(request, ReplayRequestedV1) else desk.computed(request)
    )
    await desk.say(first)
    await desk.finish()
    assert desk.states(first.job_id)[-1] == "completed_with_errors"
    assert await completed_by(desk) == {"default/1": None}
    desk.compute = desk.computed
    await desk.say(second)
    await desk.finish()
    assert desk.states(second.job_id)[-1] == "completed"
    assert await completed_by(desk) == {"default/1": second.job_id}


async def test_candles_that_are_stored_without_their_features_are_no_failed_job(
    desk, with_features
):
    job = with_features()
    desk.compute = lambda request: [failure(request)]
    await desk.say(job)
    await desk.finish()
    assert desk.states(job.job_id)[-1] == "completed_with_errors"


@pytest.mark.parametrize(("failed", "status"), [(1, "completed_with_errors"), (2, "running")])
async def test_the_release_that_brought_the_candles_is_the_one_whose_features_count(
    desk, with_features, failed: int, status: str
):
    """The lease of release 1 lapses; its candles come all the same, after release 2 is out."""
    desk.answer = lambda request: []
    desk.compute = lambda request: (
        desk.computed(request) if isinstance(request, ReplayRequestedV1) else []
    )
    await desk.say(with_features())
    await desk.finish()
    desk.clock.advance(61)
    await desk.finish()
    first, second = (
        [each for each in desk.said(FetchRequestedV1) if each.release == release]
        for release in (1, 2)
    )
    await desk.say(*(event for each in first for event in desk.stored(each)))
    await desk.finish()
    await desk.say(*map(failure, (first, second)[failed - 1]))
    await desk.finish()
    (job_id,) = {each.job_id for each in first}
    assert desk.states(job_id)[-1] == status


async def test_a_feature_chunk_that_is_not_heard_of_is_asked_again_after_its_lease(
    desk, with_features
):
    job = with_features()
    desk.compute = lambda request: (
        desk.computed(request) if getattr(request, "release", 1) > 1 else []
    )
    await desk.say(job)
    await desk.finish()
    desk.clock.advance(299)
    await desk.finish()
    assert [replay.release for replay in replays(desk, job)] == [1]
    desk.clock.advance(2)
    await desk.finish()
    assert [replay.release for replay in replays(desk, job)] == [1, 2]
    assert await completed_by(desk) == {"default/1": job.job_id}


async def test_candles_whose_features_are_not_heard_of_are_asked_for_again_after_a_lease(
    desk, with_features
):
    job = with_features()
    desk.compute = lambda request: (
        desk.computed(request)
        if request.release > 1 or not isinstance(request, FetchRequestedV1)
        else []
    )
    await desk.say(job)
    await desk.finish()
    desk.clock.advance(299)
    await desk.finish()
    assert {request.release for request in desk.said(FetchRequestedV1)} == {1}
    desk.clock.advance(2)
    await desk.finish()
    assert sorted(request.release for request in desk.said(FetchRequestedV1)) == [1, 1, 1, 2, 2, 2]
    assert desk.states(job.job_id)[-1] == "completed"


async def features_asked_for_again(desk, job):
    """A page whose first release was slow and stored after the second had gone out, and whose
    features were not heard of: the third."""
    desk.answer = lambda request: []
    desk.compute = lambda request: (
        desk.computed(request) if isinstance(request, ReplayRequestedV1) else []
    )
    await desk.say(job)
    await desk.finish()
    desk.clock.advance(61)
    await desk.finish()
    first = [request for request in desk.said(FetchRequestedV1) if request.release == 1]
    await desk.say(*(event for request in first for event in desk.stored(request)))
    await desk.finish()
    desk.clock.advance(301)
    await desk.finish()


async def test_no_release_of_a_chunk_has_the_number_of_another(desk, with_features):
    await features_asked_for_again(desk, with_features(end=with_features().start + HOUR))
    assert [request.release for request in desk.said(FetchRequestedV1)] == [1, 2, 3]


async def test_features_that_are_asked_for_again_have_as_long_as_before(desk, with_features):
    await features_asked_for_again(desk, with_features(end=with_features().start + HOUR))
    desk.clock.advance(290)
    await desk.finish()
    assert len(desk.said(FetchRequestedV1)) == 3


async def test_a_job_without_features_carries_and_awaits_those_of_a_series_that_has_them(
    desk, with_features, submission
):
    await desk.say(with_features())
    await desk.finish()
    plain = submission(incremental=False)
    desk.compute = lambda request: []
    await desk.say(plain)
    await desk.finish()
    mine = [request for request in desk.said(FetchRequestedV1) if request.job_id == plain.job_id]
    assert {request.feature_sets for request in mine} == {(DEFAULT,)}
    assert replays(desk, plain) == []
    assert [e.features for e in desk.said(TaskPlannedV1) if e.job_id == plain.job_id] == [True]
    assert desk.states(plain.job_id)[-1] == "running"
    await desk.say(*(e for request in mine for e in desk.computed(request)))
    await desk.finish()
    assert desk.states(plain.job_id)[-1] == "completed"


async def test_a_job_waits_for_features_of_candles_that_another_job_has_just_stored(
    desk, with_features
):
    first, second, third = with_features(), with_features(incremental=False), with_features()
    await desk.say(first)
    await desk.finish()
    desk.compute = lambda request: []
    await desk.say(second)
    await desk.finish()
    explain(desk, third)
    await desk.say(third)
    await desk.finish()
    assert desk.states(third.job_id)[-1] == "running"
    assert [(r.start, r.end) for r in replays(desk, third)] == [(third.start, third.end)]
    await desk.say(*desk.computed(replays(desk, third)[0]))
    await desk.finish()
    assert desk.states(third.job_id)[-1] == "completed"


async def test_each_set_is_computed_and_marked_apart(desk, with_features):
    first, second = with_features(DEFAULT), with_features(OTHER, DEFAULT, OTHER)
    for job in (first, second):
        await desk.say(job)
        await desk.finish()
    assert [replay.feature_set for replay in replays(desk, second)] == [OTHER]
    carried = [r.feature_sets for r in desk.said(FetchRequestedV1) if r.job_id == second.job_id]
    assert set(carried) == {(DEFAULT, OTHER)}
    assert await completed_by(desk) == {"default/1": first.job_id, "my/own/12": second.job_id}


async def test_words_about_features_of_a_chunk_that_carries_none_change_nothing(desk, submission):
    job = submission()
    await desk.say(job)
    await desk.work()
    before = await desk.tables()
    names = ("job_id", "task_id", "chunk_id", "generation", "release")
    request = desk.said(FetchRequestedV1)[0].model_dump(include=set(names))
    await desk.say(FeaturesStoredV1(**request, features=9, stored_at=job.end))
    await desk.consume()
    assert await desk.tables() == before


async def test_tens_of_thousands_of_feature_chunks_leave_no_row_each(desk, with_features):
    symbols = tuple(f"S{n}/USDT" for n in range(500))
    job = with_features(symbols=symbols, start="2019-01-01T00:00:00Z")
    desk.coverage.observations += [
        Observation(Series("binance", name, "1m"), TimeRange(job.start, job.end), job.submitted_at)
        for name in symbols
    ]
    await desk.say(job)
    await desk.consume()
    await desk.plan()
    while await desk.relay.step():
        pass
    (accepted,) = desk.said(JobAcceptedV1)
    assert accepted.chunks_total > 65_000
    counts = {name: len(rows) for name, rows in (await desk.tables()).items()}
    assert (counts["queues"], counts["ranges"], counts["chunks"]) == (500, 1000, 0)
