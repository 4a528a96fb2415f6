"""Cancelling by request and reply, decided on the coordinator's own state."""

import asyncio
from uuid import uuid4

import pytest

from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import CancelJobV1, JobControlV1
from candlelog.events.progress import CommandAnsweredV1, JobStateChangedV1, TaskStateChangedV1
from coordinator.handlers.cancel import cancel_job

pytestmark = pytest.mark.connected


@pytest.fixture
def cancelling(desk):
    def make(job_id, correlation_id=None):
        return CancelJobV1(
            job_id=job_id, correlation_id=correlation_id or uuid4(), requested_by="t",
            requested_at=desk.clock.now(),
        )  # fmt: skip

    return make


def answers_of(desk):
    return [(a.accepted, a.code) for a in desk.said(CommandAnsweredV1)]


async def test_a_running_job_is_fenced_off_answered_and_releases_nothing_more(
    desk, submission, cancelling
):
    job = submission(symbols=tuple(f"S{n}/USDT" for n in range(9)))
    await desk.say(job)
    await desk.work()
    released = len(desk.said(FetchRequestedV1))
    await desk.say(cancelling(job.job_id))
    await desk.finish()
    assert answers_of(desk) == [(True, "accepted")]
    assert [(c.generation, c.state) for c in desk.said(JobControlV1)][-1] == (1, "cancelled")
    assert desk.states(job.job_id) == ["queued", "running", "cancelled"]
    assert [e.generation for e in desk.said(JobStateChangedV1)] == [0, 0, 1]
    assert {states[-1] for states in desk.task_states().values()} == {"cancelled"}
    assert len(desk.said(FetchRequestedV1)) == released
    tables = await desk.tables()
    assert (tables["chunks"], tables["ranges"]) == ([], [])


async def test_the_answer_does_not_wait_behind_the_news_of_the_tasks(desk, submission, cancelling):
    job = submission(symbols=tuple(f"S{n}/USDT" for n in range(9)))
    await desk.say(job)
    await desk.work()
    before = len(desk.said_on("progress"))
    await desk.say(cancelling(job.job_id))
    await desk.finish()
    news = [type(event) for event in desk.said_on("progress")][before:]
    assert news.index(CommandAnsweredV1) < news.index(TaskStateChangedV1)


async def test_cancelling_gives_the_credit_to_the_next_job(desk, submission, cancelling):
    first, second = submission(symbols=tuple(f"S{n}/USDT" for n in range(9))), submission()
    desk.answer = lambda request: []
    await desk.say(first)
    await desk.work()
    await desk.say(second, cancelling(first.job_id))
    await desk.work()
    await desk.work()
    requests = desk.said(FetchRequestedV1)
    assert [request.job_id for request in requests].count(second.job_id) == 3


async def test_a_job_nobody_knows_is_answered(desk, cancelling):
    await desk.say(cancelling(uuid4()))
    await desk.finish()
    assert answers_of(desk) == [(False, "unknown_job")]


async def test_a_finished_job_is_not_cancelled_and_the_answer_says_why(
    desk, submission, cancelling
):
    job = submission()
    await desk.say(job)
    await desk.finish()
    before = await desk.tables()
    await desk.say(cancelling(job.job_id))
    await desk.finish()
    assert answers_of(desk) == [(False, "invalid_transition")]
    assert "completed" in desk.said(CommandAnsweredV1)[0].reason
    assert await desk.tables() == before


async def test_the_same_command_again_is_answered_as_before_and_does_nothing(
    desk, submission, cancelling
):
    job = submission()
    command = cancelling(job.job_id)
    await desk.say(job, command)
    await desk.finish()
    before = await desk.tables()
    await desk.say(command, cancelling(job.job_id))
    await desk.finish()
    assert answers_of(desk) == [
        (True, "accepted"), (True, "accepted"), (False, "invalid_transition"),
    ]  # fmt: skip
    assert await desk.tables() == before
    assert len([c for c in desk.said(JobControlV1) if c.state == "cancelled"]) == 1


async def test_late_words_about_a_cancelled_job_change_nothing(
    desk, submission, cancelling, answers
):
    job = submission()
    desk.answer = lambda request: []
    await desk.say(job)
    await desk.work()
    await desk.say(cancelling(job.job_id))
    await desk.finish()
    before = await desk.tables()
    await desk.say(*(event for r in desk.said(FetchRequestedV1) for event in answers(r)))
    await desk.finish()
    assert await desk.tables() == before
    assert desk.states(job.job_id)[-1] == "cancelled"


async def test_a_coordinator_that_starts_says_nothing_of_a_job_that_is_being_cancelled(
    desk, submission, cancelling
):
    job = submission()
    await desk.say(job)
    await desk.work()
    async with desk.transactions.begin() as transaction:
        await cancel_job(transaction, cancelling(job.job_id), desk.clock.now())
        starting = asyncio.create_task(desk.resume())
        await asyncio.wait({starting}, timeout=0.2)
    await starting
    await desk.work()
    assert [control.state for control in desk.said(JobControlV1)] == ["running", "cancelled"]
