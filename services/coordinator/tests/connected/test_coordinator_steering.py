"""Jobs are stopped and go on by request and reply, decided on the coordinator's own state."""

import asyncio
from uuid import uuid4

import pytest

from candlelog.errors import Unavailable
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import (
    CancelJobV1,
    DeleteJobV1,
    JobControlV1,
    PauseJobV1,
    ResumeJobV1,
    RetryJobV1,
)
from candlelog.events.progress import (
    ChunkFailedV1,
    CommandAnsweredV1,
    JobAcceptedV1,
    JobStateChangedV1,
    TaskStateChangedV1,
)
from coordinator.handlers.steer import steer

pytestmark = pytest.mark.connected


@pytest.fixture
def steering(desk):
    """Commands about a job."""

    def make(kind, job, **fields):
        return kind(
            job_id=job.job_id, correlation_id=uuid4(), requested_by="t",
            requested_at=desk.clock.now(), **fields,
        )  # fmt: skip

    return make


@pytest.fixture
def big(submission):
    """A job of four tasks with three chunks each: more than are in flight at once."""
    return submission(symbols=tuple(f"S{n}/USDT" for n in range(4)))


def answers_of(desk):
    return [(a.accepted, a.code) for a in desk.said(CommandAnsweredV1)]


async def test_a_running_job_is_fenced_off_answered_and_releases_nothing_more(
    desk, submission, steering
):
    job = submission(symbols=tuple(f"S{n}/USDT" for n in range(9)))
    await desk.say(job)
    await desk.work()
    released = len(desk.said(FetchRequestedV1))
    await desk.say(steering(CancelJobV1, job))
    await desk.finish()
    assert answers_of(desk) == [(True, "accepted")]
    assert [(c.generation, c.state) for c in desk.said(JobControlV1)][-1] == (1, "cancelled")
    assert desk.states(job.job_id) == ["queued", "running", "cancelled"]
    assert [e.generation for e in desk.said(JobStateChangedV1)] == [0, 0, 1]
    assert {states[-1] for states in desk.task_states().values()} == {"cancelled"}
    assert len(desk.said(FetchRequestedV1)) == released


async def test_the_answer_does_not_wait_behind_the_news_of_the_tasks(desk, submission, steering):
    job = submission(symbols=tuple(f"S{n}/USDT" for n in range(9)))
    await desk.say(job)
    await desk.work()
    before = len(desk.said_on("progress"))
    await desk.say(steering(CancelJobV1, job))
    await desk.finish()
    news = [type(event) for event in desk.said_on("progress")][before:]
    assert news.index(CommandAnsweredV1) < news.index(TaskStateChangedV1)


async def test_of_some_tasks_the_answer_comes_behind_what_became_of_them(
    desk, submission, steering
):
    job = submission(symbols=("A/USDT", "B/USDT"))
    await desk.say(job)
    await desk.work()
    before = len(desk.said_on("progress"))
    await desk.say(steering(CancelJobV1, job, symbols=job.symbols))
    await desk.finish()
    news = [type(event) for event in desk.said_on("progress")][before:]
    told = news[: news.index(CommandAnsweredV1)]
    assert (told.count(TaskStateChangedV1), told.count(JobStateChangedV1)) == (2, 1)


async def test_steering_gives_the_credit_to_the_next_job(desk, submission, steering):
    first, second = submission(symbols=tuple(f"S{n}/USDT" for n in range(9))), submission()
    desk.answer = lambda request: []
    await desk.say(first)
    await desk.work()
    await desk.say(second, steering(CancelJobV1, first))
    await desk.work()
    await desk.work()
    requests = desk.said(FetchRequestedV1)
    assert [request.job_id for request in requests].count(second.job_id) == 3


async def test_a_job_nobody_knows_is_answered(desk, submission, steering):
    await desk.say(steering(CancelJobV1, submission()))
    await desk.finish()
    assert answers_of(desk) == [(False, "unknown_job")]


async def test_a_finished_job_is_not_cancelled_and_the_answer_says_why(desk, submission, steering):
    job = submission()
    await desk.say(job)
    await desk.finish()
    before = await desk.tables()
    await desk.say(steering(CancelJobV1, job))
    await desk.finish()
    assert answers_of(desk) == [(False, "invalid_transition")]
    assert "completed" in desk.said(CommandAnsweredV1)[0].reason
    assert await desk.tables() == before


async def test_the_same_command_again_is_answered_as_before_and_does_nothing(
    desk, submission, steering
):
    job = submission()
    command = steering(CancelJobV1, job)
    await desk.say(job, command)
    await desk.finish()
    before = await desk.tables()
    await desk.say(command, steering(CancelJobV1, job))
    await desk.finish()
    assert answers_of(desk) == [
        (True, "accepted"), (True, "accepted"), (False, "invalid_transition"),
    ]  # fmt: skip
    assert await desk.tables() == before
    assert len([c for c in desk.said(JobControlV1) if c.state == "cancelled"]) == 1


async def test_late_words_about_a_cancelled_job_do_not_bring_it_back(
    desk, submission, steering, answers
):
    job = submission()
    desk.answer = lambda request: []
    await desk.say(job)
    await desk.work()
    await desk.say(steering(CancelJobV1, job))
    await desk.finish()
    await desk.say(*(event for r in desk.said(FetchRequestedV1) for event in answers(r)))
    await desk.finish()
    assert desk.states(job.job_id)[-1] == "cancelled"
    assert {states[-1] for states in desk.task_states().values()} == {"cancelled"}


async def test_a_coordinator_that_starts_says_nothing_of_a_job_that_is_being_cancelled(
    desk, submission, steering
):
    job = submission()
    await desk.say(job)
    await desk.work()
    async with desk.transactions.begin() as transaction:
        await steer(transaction, steering(CancelJobV1, job), desk.clock.now())
        starting = asyncio.create_task(desk.resume())
        await asyncio.wait({starting}, timeout=0.2)
    await starting
    await desk.work()
    assert [control.state for control in desk.said(JobControlV1)] == ["running", "cancelled"]


def asked(desk) -> set[tuple[object, int]]:
    """Every request there was: its chunk and its generation."""
    return {(request.chunk_id, request.generation) for request in desk.said(FetchRequestedV1)}


def failed(request) -> list[ChunkFailedV1]:
    """What a fetcher says of a chunk that it gives up."""
    names = request.model_dump(include={"job_id", "task_id", "chunk_id", "generation", "release"})
    return [
        ChunkFailedV1(
            **names, code="c", message="m", transient=False, attempt=request.attempt,
            max_attempts=3, failed_at=request.end,
        )
    ]  # fmt: skip


async def test_a_paused_job_takes_no_credit(desk, big, steering, submission):
    desk.answer = lambda request: []
    other = submission()
    await desk.say(big)
    await desk.work()
    await desk.say(steering(PauseJobV1, big), other)
    desk.answer = lambda request: desk.stored(request) if request.job_id == other.job_id else []
    await desk.finish()
    assert desk.states(other.job_id)[-1] == "completed"


async def test_a_paused_job_releases_nothing(desk, big, steering):
    desk.answer = lambda request: []
    await desk.say(big)
    await desk.work()
    before = desk.said(FetchRequestedV1)
    await desk.say(steering(PauseJobV1, big))
    desk.clock.advance(600)
    await desk.finish()
    assert desk.said(FetchRequestedV1) == before


async def test_workers_are_told_that_a_job_is_paused(desk, submission, steering):
    job = submission()
    await desk.say(job, steering(PauseJobV1, job))
    await desk.finish()
    assert [(c.generation, c.state) for c in desk.said(JobControlV1)][-1] == (1, "paused")


async def test_what_was_on_its_way_when_a_job_was_paused_is_not_asked_for_again(
    desk, big, steering, answers
):
    desk.answer = lambda request: []
    await desk.say(big)
    await desk.work()
    before = desk.said(FetchRequestedV1)
    await desk.say(steering(PauseJobV1, big))
    await desk.finish()
    await desk.say(*(event for request in before for event in answers(request)))
    await desk.finish()
    desk.answer = desk.stored
    await desk.say(steering(ResumeJobV1, big))
    await desk.finish()
    assert desk.states(big.job_id)[-2:] == ["running", "completed"]
    assert len(desk.said(FetchRequestedV1)) == 12


async def test_a_resumed_job_asks_again_in_its_new_generation(desk, big, steering):
    desk.answer = lambda request: []
    await desk.say(big)
    await desk.work()
    await desk.say(steering(PauseJobV1, big))
    await desk.finish()
    before = asked(desk)
    desk.answer = desk.stored
    await desk.say(steering(ResumeJobV1, big))
    await desk.finish()
    assert desk.states(big.job_id) == [
        "queued", "running", "paused", "queued", "running", "completed",
    ]  # fmt: skip
    assert {generation for _, generation in asked(desk) - before} == {2}
    assert {states[-1] for states in desk.task_states().values()} == {"completed"}


async def test_the_last_of_a_paused_job_completes_it(desk, submission, steering, answers):
    job = submission()
    desk.answer = lambda request: []
    await desk.say(job)
    await desk.work()
    await desk.say(steering(PauseJobV1, job))
    await desk.finish()
    await desk.say(*(event for r in desk.said(FetchRequestedV1) for event in answers(r)))
    await desk.finish()
    assert desk.states(job.job_id)[-2:] == ["paused", "completed"]


async def test_a_symbol_that_is_paused_waits_while_the_others_go_on(desk, big, steering):
    await desk.say(big, steering(PauseJobV1, big, symbols=("S1/USDT",)))
    await desk.finish()
    ended = sorted(states[-1] for states in desk.task_states().values())
    assert ended == ["completed", "completed", "completed", "paused"]


async def test_nothing_is_asked_for_of_a_symbol_that_is_paused(desk, big, steering):
    await desk.say(big, steering(PauseJobV1, big, symbols=("S1/USDT",)))
    await desk.finish()
    asked_for = {request.symbol for request in desk.said(FetchRequestedV1)}
    assert asked_for == {"S0/USDT", "S2/USDT", "S3/USDT"}


async def test_a_job_completes_once_the_symbol_that_was_paused_goes_on(desk, big, steering):
    await desk.say(big, steering(PauseJobV1, big, symbols=("S1/USDT",)))
    await desk.finish()
    await desk.say(steering(ResumeJobV1, big))
    await desk.finish()
    assert desk.states(big.job_id)[-1] == "completed"


async def test_workers_are_told_which_tasks_are_stopped(desk, big, steering):
    desk.answer = lambda request: []
    await desk.say(big)
    await desk.work()
    task = desk.said(FetchRequestedV1)[0].task_id
    await desk.say(steering(PauseJobV1, big, tasks=(task,)))
    await desk.finish()
    control = desk.said(JobControlV1)[-1]
    assert (control.generation, control.state, control.stopped) == (0, "running", (task,))


async def test_workers_are_told_again_at_a_start_which_tasks_are_stopped(desk, big, steering):
    await desk.say(big, steering(PauseJobV1, big, symbols=("S1/USDT",)))
    await desk.work()
    control = desk.said(JobControlV1)[-1]
    await desk.resume()
    await desk.work()
    assert desk.said(JobControlV1)[-2:] == [control, control]


async def test_workers_are_told_that_tasks_go_on(desk, big, steering):
    await desk.say(big, steering(PauseJobV1, big, symbols=("S1/USDT",)))
    await desk.say(steering(ResumeJobV1, big, symbols=("S1/USDT",)))
    await desk.work()
    assert [len(control.stopped) for control in desk.said(JobControlV1)] == [0, 1, 0]


async def test_features_that_are_not_heard_of_are_not_asked_for_while_their_task_is_paused(
    desk, submission, steering
):
    job = submission(features=True, feature_sets=(DEFAULT,), symbols=("S1/USDT", "S2/USDT"))
    desk.compute = lambda request: []
    await desk.say(job)
    await desk.finish()
    await desk.say(steering(PauseJobV1, job, symbols=("S1/USDT",)))
    await desk.finish()
    desk.clock.advance(301)
    await desk.work()
    again = {request.symbol for request in desk.said(FetchRequestedV1) if request.release > 1}
    assert again == {"S2/USDT"}


async def test_features_that_are_not_heard_of_are_asked_for_in_the_generation_of_their_job(
    desk, submission, steering
):
    job = submission(features=True, feature_sets=(DEFAULT,))
    desk.compute = lambda request: []
    await desk.say(job)
    await desk.finish()
    await desk.say(steering(PauseJobV1, job), steering(ResumeJobV1, job))
    await desk.finish()
    desk.clock.advance(301)
    await desk.work()
    again = [request.generation for request in desk.said(FetchRequestedV1) if request.release > 1]
    assert again == [2, 2, 2]


async def test_chunks_of_a_cancelled_job_that_wait_for_features_take_no_credit(
    desk, big, submission, steering
):
    first = big.model_copy(update={"features": True, "feature_sets": (DEFAULT,)})
    second = submission()
    desk.compute = lambda request: []
    await desk.say(first)
    await desk.finish()
    await desk.say(steering(CancelJobV1, first), second)
    await desk.finish()
    assert desk.states(second.job_id)[-1] == "completed"


async def test_a_retry_asks_for_no_more_at_once_than_there_is_credit_for(desk, big, steering):
    desk.answer = failed
    await desk.say(big)
    await desk.finish()
    await desk.say(steering(RetryJobV1, big))
    await desk.work()
    again = [request for request in desk.said(FetchRequestedV1) if request.generation]
    assert len(again) == desk.in_flight


async def test_a_job_that_goes_on_with_old_and_new_chunks_at_once_starts_once(
    desk, big, steering, answers
):
    desk.answer = lambda request: []
    await desk.say(big)
    await desk.work()
    await desk.say(steering(PauseJobV1, big))
    await desk.finish()
    arrived = desk.said(FetchRequestedV1)[:3]
    await desk.say(*(event for request in arrived for event in answers(request)))
    await desk.finish()
    await desk.say(steering(ResumeJobV1, big))
    await desk.work()
    versions = [change.version for change in desk.said(JobStateChangedV1)]
    assert versions == [1, 2, 3, 4, 5]


async def test_a_job_of_which_tasks_were_cancelled_ends_with_errors(desk, big, steering):
    await desk.say(big, steering(CancelJobV1, big, symbols=("S1/USDT",)))
    await desk.finish()
    assert desk.states(big.job_id)[-1] == "completed_with_errors"


async def test_a_job_all_of_whose_tasks_are_cancelled_by_name_is_cancelled(desk, big, steering):
    await desk.say(big, steering(CancelJobV1, big, symbols=big.symbols))
    await desk.finish()
    assert desk.states(big.job_id) == ["queued", "cancelled"]


async def test_a_job_that_was_cancelled_claims_nothing(desk, big, steering):
    desk.answer = lambda request: []
    await desk.say(big)
    await desk.work()
    assert len((await desk.tables())["claims"]) == 1
    await desk.say(steering(CancelJobV1, big))
    await desk.finish()
    assert (await desk.tables())["claims"] == []


async def test_a_cancelled_job_that_is_retried_asks_for_what_it_has_not(
    desk, big, steering, answers
):
    desk.answer = lambda request: []
    await desk.say(big)
    await desk.work()
    on_their_way = desk.said(FetchRequestedV1)
    await desk.say(steering(CancelJobV1, big))
    await desk.finish()
    await desk.say(*(event for request in on_their_way for event in answers(request)))
    await desk.finish()
    desk.answer = desk.stored
    await desk.say(steering(RetryJobV1, big))
    await desk.finish()
    assert desk.states(big.job_id) == [
        "queued", "running", "cancelled", "queued", "running", "completed",
    ]  # fmt: skip
    assert len(desk.said(FetchRequestedV1)) == 12


async def test_a_retry_of_a_job_everything_of_which_has_arrived_completes_it(
    desk, submission, steering, answers
):
    job = submission()
    desk.answer = lambda request: []
    await desk.say(job)
    await desk.work()
    await desk.say(steering(CancelJobV1, job))
    await desk.finish()
    await desk.say(*(event for r in desk.said(FetchRequestedV1) for event in answers(r)))
    await desk.finish()
    await desk.say(steering(RetryJobV1, job))
    await desk.finish()
    assert desk.states(job.job_id)[-2:] == ["queued", "completed"]
    assert len(desk.said(FetchRequestedV1)) == 3


async def test_a_retry_of_a_job_what_was_missing_of_which_came_late_completes_it(
    desk, submission, steering
):
    job = submission()
    desk.answer = lambda r: failed(r) if r.start == job.start else desk.stored(r)
    await desk.say(job)
    await desk.finish()
    assert desk.states(job.job_id)[-1] == "completed_with_errors"
    (given_up,) = (r for r in desk.said(FetchRequestedV1) if r.start == job.start)
    await desk.say(*desk.stored(given_up))
    await desk.finish()
    await desk.say(steering(RetryJobV1, job))
    await desk.finish()
    assert desk.states(job.job_id)[-2:] == ["queued", "completed"]
    assert len(desk.said(FetchRequestedV1)) == 3


async def test_only_what_failed_is_retried_with_all_its_attempts(desk, big, steering):
    desk.answer = lambda r: failed(r) if r.symbol == "S2/USDT" else desk.stored(r)
    await desk.say(big)
    await desk.finish()
    assert desk.states(big.job_id)[-1] == "completed_with_errors"
    desk.answer = desk.stored
    await desk.say(steering(RetryJobV1, big))
    await desk.finish()
    again = [(r.symbol, r.attempt) for r in desk.said(FetchRequestedV1) if r.generation]
    assert again == [("S2/USDT", 1)] * 3
    assert desk.states(big.job_id)[-1] == "completed"
    tables = await desk.tables()
    assert (tables["chunks"], tables["queues"], tables["ranges"], tables["claims"]) == ([],) * 4


async def test_a_task_that_failed_is_retried_while_the_job_runs(desk, big, steering):
    said = {"S2/USDT": failed, "S3/USDT": lambda request: []}
    desk.answer = lambda request: said.get(request.symbol, desk.stored)(request)
    await desk.say(big)
    await desk.finish()
    failed_task = next(r.task_id for r in desk.said(FetchRequestedV1) if r.symbol == "S2/USDT")
    desk.answer = desk.stored
    await desk.say(steering(RetryJobV1, big, tasks=(failed_task,)))
    desk.clock.advance(60)
    await desk.finish()
    assert desk.states(big.job_id) == ["queued", "running", "completed"]
    assert {states[-1] for states in desk.task_states().values()} == {"completed"}


async def test_a_refused_command_changes_nothing(desk, submission, steering):
    job = submission()
    await desk.say(job)
    await desk.finish()
    before = await desk.tables()
    for kind in (PauseJobV1, ResumeJobV1, RetryJobV1, CancelJobV1):
        await desk.say(steering(kind, job))
    await desk.finish()
    assert answers_of(desk) == [(False, "invalid_transition")] * 4
    assert await desk.tables() == before
    assert desk.states(job.job_id) == ["queued", "running", "completed"]


@pytest.fixture
def unplanned(desk, submission):
    """A job that was taken and is not planned yet."""

    async def make():
        job = submission()
        await desk.say(job)
        await desk.consume()
        return job

    return make


async def test_a_job_that_is_not_planned_yet_is_cancelled_and_never_planned(
    desk, steering, unplanned
):
    job = await unplanned()
    await desk.say(steering(CancelJobV1, job))
    await desk.consume()
    await desk.finish()
    assert answers_of(desk) == [(True, "accepted")]
    assert desk.states(job.job_id) == ["cancelled"]
    assert desk.task_states() == {}


async def test_a_job_that_was_cancelled_before_it_was_planned_is_retried(desk, steering, unplanned):
    job = await unplanned()
    await desk.say(steering(CancelJobV1, job), steering(RetryJobV1, job))
    await desk.finish()
    assert answers_of(desk) == [(True, "accepted")] * 2
    assert desk.states(job.job_id)[0] == "cancelled"
    assert desk.states(job.job_id)[-2:] == ["running", "completed"]


async def test_a_command_that_comes_again_has_no_job_planned_before_its_turn(
    desk, steering, unplanned
):
    job = await unplanned()
    resume = steering(ResumeJobV1, job, symbols=job.symbols[:1])
    await desk.say(steering(CancelJobV1, job), resume, steering(RetryJobV1, job))
    await desk.consume()
    desk.read_again_from_the_start()
    await desk.consume()
    assert await desk.pool.fetch("SELECT FROM tasks") == []


async def test_a_job_that_is_deleted_before_it_was_planned_leaves_no_submission(
    desk, steering, unplanned
):
    job = await unplanned()
    await desk.say(steering(CancelJobV1, job), steering(DeleteJobV1, job))
    await desk.finish()
    assert await desk.pool.fetch("SELECT FROM submissions") == []


async def test_a_job_that_is_not_planned_yet_is_paused_and_planned_when_it_goes_on(
    desk, steering, unplanned
):
    job = await unplanned()
    await desk.say(steering(PauseJobV1, job))
    await desk.consume()
    await desk.finish()
    assert desk.said(JobAcceptedV1) == []
    await desk.say(steering(ResumeJobV1, job))
    await desk.finish()
    assert desk.states(job.job_id)[0] == "paused"
    assert desk.states(job.job_id)[-2:] == ["running", "completed"]


async def test_of_a_job_that_cannot_be_planned_now_no_task_is_steered(
    desk, steering, unplanned, monkeypatch
):
    async def away(*_, **__):
        raise Unavailable("ClickHouse is away")

    job = await unplanned()
    with monkeypatch.context() as outage:
        outage.setattr(desk.coverage, "explained", away)
        await desk.say(steering(CancelJobV1, job, symbols=job.symbols))
        await desk.consume()
    await desk.finish()
    assert answers_of(desk) == [(False, "invalid_transition")]
    assert desk.states(job.job_id)[-1] == "completed"


async def test_for_tasks_of_a_job_that_is_paused_before_it_was_planned_nothing_is_read(
    desk, steering, unplanned, monkeypatch
):
    reads = []

    async def explained(*of, **_):
        reads.append(of)
        raise Unavailable("ClickHouse is away")

    job = await unplanned()
    monkeypatch.setattr(desk.coverage, "explained", explained)
    await desk.say(steering(PauseJobV1, job), steering(CancelJobV1, job, symbols=job.symbols))
    await desk.finish()
    assert answers_of(desk) == [(True, "accepted"), (False, "invalid_transition")]
    assert reads == []


async def test_a_job_that_is_cancelled_while_its_coverage_is_read_is_not_planned(
    desk, steering, unplanned, monkeypatch
):
    job, explained = await unplanned(), desk.coverage.explained

    async def meanwhile(*of, **window):
        await desk.say(steering(CancelJobV1, job))
        await desk.consume()
        return await explained(*of, **window)

    monkeypatch.setattr(desk.coverage, "explained", meanwhile)
    await desk.finish()
    assert desk.states(job.job_id) == ["cancelled"]


async def test_two_coordinators_plan_a_job_once(desk, unplanned, monkeypatch):
    job, explained, both = await unplanned(), desk.coverage.explained, asyncio.Barrier(2)

    async def at_the_same_time(*of, **window):
        await both.wait()
        return await explained(*of, **window)

    with monkeypatch.context() as racing:
        racing.setattr(desk.coverage, "explained", at_the_same_time)
        await asyncio.gather(desk.submissions.step(), desk.submissions.step())
    await desk.finish()
    assert len(desk.said(JobAcceptedV1)) == 1
    assert desk.states(job.job_id) == ["queued", "running", "completed"]
