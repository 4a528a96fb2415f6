"""A job that is over is forgotten on demand; what later jobs have to know of it is kept."""

from datetime import timedelta
from uuid import uuid4

import pytest

from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import CancelJobV1, DeleteJobV1, JobControlV1, RetryJobV1
from candlelog.events.progress import ChunkFailedV1, CommandAnsweredV1

pytestmark = pytest.mark.connected

HOUR = timedelta(hours=1)


@pytest.fixture
def steer(desk):
    """Say a command about a job, and have everything be done that follows."""

    async def say(kind, job, **fields):
        await desk.say(
            kind(
                job_id=job.job_id, correlation_id=uuid4(), requested_by="t",
                requested_at=desk.clock.now(), **fields,
            )
        )  # fmt: skip
        await desk.finish()
        answer = desk.said(CommandAnsweredV1)[-1]
        return answer.code, answer.reason

    return say


async def stopped(desk, steer, job):
    """The job, cancelled while all that was asked for is on its way."""
    desk.answer = lambda request: []
    await desk.say(job)
    await desk.work()
    await steer(CancelJobV1, job)
    return job


async def test_a_job_that_is_over_is_deleted_with_its_work(desk, submission, steer):
    job = await stopped(desk, steer, submission())
    assert await steer(DeleteJobV1, job) == ("accepted", "it is deleted")
    assert desk.states(job.job_id)[-2:] == ["cancelled", "deleted"]
    tables = await desk.tables()
    assert [tables[name] for name in ("tasks", "chunks", "queues", "ranges", "claims")] == [[]] * 5


async def test_workers_are_told_to_start_nothing_of_a_job_that_was_deleted(desk, submission, steer):
    job = await stopped(desk, steer, submission())
    await steer(DeleteJobV1, job)
    last = desk.said(JobControlV1)[-1]
    assert (last.job_id, last.generation, last.state) == (job.job_id, 2, "cancelled")


async def test_a_job_that_is_not_over_is_not_deleted(desk, submission, steer):
    job = submission()
    desk.answer = lambda request: []
    await desk.say(job)
    await desk.work()
    before = await desk.tables()
    code, reason = await steer(DeleteJobV1, job)
    assert (code, "running" in reason) == ("invalid_transition", True)
    assert await desk.tables() == before


async def test_a_job_is_deleted_as_a_whole(desk, submission, steer):
    job = await stopped(desk, steer, submission())
    before = await desk.tables()
    assert await steer(DeleteJobV1, job, symbols=job.symbols) == (
        "invalid_transition", "a job is deleted as a whole",
    )  # fmt: skip
    assert await desk.tables() == before


async def test_a_deleted_job_is_not_brought_back(desk, submission, steer):
    job = await stopped(desk, steer, submission())
    await steer(DeleteJobV1, job)
    before = await desk.tables()
    assert (await steer(RetryJobV1, job))[0] == "unknown_job"
    await desk.say(job.model_copy(update={"submitted_at": desk.clock.now()}))
    await desk.finish()
    assert await desk.tables() == before


async def test_what_arrives_of_a_deleted_job_changes_nothing(desk, submission, steer, answers):
    job = await stopped(desk, steer, submission())
    await steer(DeleteJobV1, job)
    before = await desk.tables()
    await desk.say(*(event for r in desk.said(FetchRequestedV1) for event in answers(r)))
    await desk.finish()
    assert await desk.tables() == before


async def test_chunks_whose_features_may_still_come_are_kept_for_later_jobs(
    desk, submission, steer
):
    desk.compute = lambda request: []
    job = await stopped(desk, steer, submission(features=True, feature_sets=(DEFAULT,)))
    await desk.say(*(event for r in desk.said(FetchRequestedV1) for event in desk.stored(r)))
    await desk.finish()
    await steer(DeleteJobV1, job)
    tables = await desk.tables()
    assert [len(tables[name]) for name in ("tasks", "chunks", "queues", "ranges")] == [1, 3, 0, 0]


async def test_the_last_that_comes_of_a_deleted_job_takes_its_task_with_it(desk, submission, steer):
    desk.compute = lambda request: []
    job = await stopped(desk, steer, submission(features=True, feature_sets=(DEFAULT,)))
    requests = desk.said(FetchRequestedV1)
    await desk.say(*(event for each in requests for event in desk.stored(each)))
    await desk.finish()
    await steer(DeleteJobV1, job)
    left = []
    for each in requests:
        await desk.say(*desk.computed(each))
        await desk.finish()
        tables = await desk.tables()
        left.append((len(tables["chunks"]), len(tables["tasks"])))
    assert left == [(2, 1), (1, 1), (0, 0)]


async def test_a_chunk_of_a_deleted_job_without_candles_goes_when_it_fails(desk, submission, steer):
    desk.compute = lambda request: []
    job = submission(features=True, feature_sets=(DEFAULT,), end=submission().start + HOUR)
    job = await stopped(desk, steer, job)
    await steer(DeleteJobV1, job)
    (request,) = desk.said(FetchRequestedV1)
    assert len((await desk.tables())["chunks"]) == 1
    names = request.model_dump(
        include={"job_id", "task_id", "chunk_id", "generation", "release", "attempt"}
    )
    await desk.say(
        ChunkFailedV1(
            **names, code="c", message="m", transient=False, max_attempts=3, failed_at=request.end
        )
    )
    await desk.finish()
    tables = await desk.tables()
    assert (tables["chunks"], tables["tasks"]) == ([], [])


async def test_a_cancelled_job_keeps_its_task_when_the_last_of_it_has_come(desk, submission, steer):
    job = await stopped(desk, steer, submission())
    await desk.say(*(event for r in desk.said(FetchRequestedV1) for event in desk.stored(r)))
    await desk.finish()
    assert len((await desk.tables())["tasks"]) == len(job.symbols)
