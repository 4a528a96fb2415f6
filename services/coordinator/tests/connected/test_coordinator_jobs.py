"""A job from its command to its end, on a real Postgres."""

from datetime import timedelta
from uuid import uuid4

import pytest

from candlelog.events.fetch import FetchRequestedV1, MarketsRequestedV1
from candlelog.events.jobs import JobControlV1, ListMarketsV1
from candlelog.events.progress import (
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkReleasedV1,
    JobAcceptedV1,
    JobStateChangedV1,
    TaskPlannedV1,
)
from candlelog.log.outcome import Done, Reject, Skip
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from coordinator.adapters.memory import Observation

pytestmark = pytest.mark.connected


def about(request: FetchRequestedV1) -> dict[str, object]:
    return request.model_dump(include={"job_id", "task_id", "chunk_id", "generation", "release"})


def failure(request: FetchRequestedV1, *, transient: bool) -> ChunkFailedV1:
    return ChunkFailedV1(
        **about(request), code="c", message="m", transient=transient, attempt=request.attempt,
        max_attempts=request.max_attempts, failed_at=request.start,
    )  # fmt: skip


async def test_a_job_is_planned_released_in_order_of_time_and_completed(desk, submission):
    job = submission()
    await desk.say(job)
    await desk.finish()
    requests = desk.said(FetchRequestedV1)
    planned, accepted = desk.said(TaskPlannedV1), desk.said(JobAcceptedV1)
    assert [(r.slots, r.release, r.attempt) for r in sorted(requests, key=lambda r: r.start)] == [
        (1000, 1, 1), (1000, 1, 1), (500, 1, 1),
    ]  # fmt: skip
    assert [(t.slots_expected, t.chunks_total) for t in planned] == [(2500, 3)]
    assert [(a.tasks_total, a.chunks_total, a.slots_covered) for a in accepted] == [(1, 3, 0)]
    assert desk.states(job.job_id) == ["queued", "running", "completed"]
    assert list(desk.task_states().values()) == [["running", "completed"]]
    assert [(c.generation, c.state) for c in desk.said(JobControlV1)] == [(0, "running")]


async def test_versions_of_a_job_rise_by_one(desk, submission):
    await desk.say(submission())
    await desk.finish()
    assert [event.version for event in desk.said(JobStateChangedV1)] == [1, 2, 3]


async def test_chunks_of_a_task_go_out_in_order_of_time_and_within_the_credit(desk, submission):
    desk.in_flight = 2
    desk.start()
    await desk.say(submission(end=submission().start + timedelta(minutes=5000)))
    await desk.work()
    starts = [event.start for event in desk.said(ChunkReleasedV1)]
    assert starts == sorted(starts)
    assert len(starts) == 2
    await desk.finish()
    starts = [event.start for event in desk.said(ChunkReleasedV1)]
    assert starts == sorted(starts)
    assert len(starts) == 5


async def test_nothing_is_kept_of_the_work_of_a_job_that_is_over(desk, submission):
    await desk.say(submission(symbols=("BTC/USDT", "ETH/USDT")))
    await desk.finish()
    tables = await desk.tables()
    kept = {name: len(rows) for name, rows in tables.items() if rows}
    assert kept == {"jobs": 1, "tasks": 2}


async def test_an_incremental_job_asks_only_for_what_is_not_explained(desk, submission):
    job = submission()
    first, last = job.start + timedelta(minutes=600), job.start + timedelta(minutes=700)
    desk.coverage.observations.append(
        Observation(Series("binance", "BTC/USDT", "1m"), TimeRange(first, last), job.submitted_at)
    )
    await desk.say(job)
    await desk.finish()
    requests = sorted(desk.said(FetchRequestedV1), key=lambda request: request.start)
    assert [r.slots for r in requests] == [600, 1000, 800]
    assert [(t.slots_expected, t.slots_covered) for t in desk.said(TaskPlannedV1)] == [(2500, 100)]
    assert desk.states(job.job_id)[-1] == "completed"


async def test_a_job_that_is_not_incremental_asks_for_every_slot_again(desk, submission):
    job = submission(incremental=False)
    whole = TimeRange(job.start, job.end)
    desk.coverage.observations.append(
        Observation(Series("binance", "BTC/USDT", "1m"), whole, job.submitted_at)
    )
    await desk.say(job)
    await desk.finish()
    assert sum(request.slots for request in desk.said(FetchRequestedV1)) == 2500


async def test_a_job_with_nothing_left_to_ask_is_completed_at_once(desk, submission):
    job = submission()
    whole = TimeRange(job.start, job.end)
    desk.coverage.observations.append(
        Observation(Series("binance", "BTC/USDT", "1m"), whole, job.submitted_at)
    )
    await desk.say(job)
    await desk.finish()
    assert desk.said(FetchRequestedV1) == []
    assert desk.states(job.job_id) == ["queued", "completed"]
    assert list(desk.task_states().values()) == [["completed"]]


async def test_a_failure_in_passing_is_asked_again_after_a_while(desk, submission):
    job = submission(end=submission().start + timedelta(minutes=10))
    desk.answer = lambda request: [failure(request, transient=True)]
    await desk.say(job)
    await desk.finish()
    assert [(r.release, r.attempt) for r in desk.said(FetchRequestedV1)] == [(1, 1)]
    desk.answer = desk.stored
    desk.clock.advance(60)
    await desk.finish()
    assert [(r.release, r.attempt) for r in desk.said(FetchRequestedV1)] == [(1, 1), (2, 2)]
    assert desk.states(job.job_id)[-1] == "completed"


async def test_a_chunk_that_fails_in_every_attempt_is_given_up(desk, submission):
    job = submission(max_attempts=2)
    first = job.start
    normal = desk.answer

    def answer(request):
        return [failure(request, transient=True)] if request.start == first else normal(request)

    desk.answer = answer
    await desk.say(job)
    for _ in range(3):
        await desk.finish()
        desk.clock.advance(60)
    attempts = [r.attempt for r in desk.said(FetchRequestedV1) if r.start == first]
    assert attempts == [1, 2]
    assert desk.states(job.job_id)[-1] == "completed_with_errors"


async def test_a_job_of_which_nothing_was_stored_has_failed(desk, submission):
    job = submission()
    desk.answer = lambda request: [failure(request, transient=False)]
    await desk.say(job)
    await desk.finish()
    assert desk.states(job.job_id) == ["queued", "running", "failed"]


async def test_quarantined_slots_make_a_job_complete_with_errors(desk, submission, answers):
    job = submission()
    desk.answer = lambda request: answers(request, explained=request.slots - 1)
    await desk.say(job)
    await desk.finish()
    assert desk.states(job.job_id)[-1] == "completed_with_errors"


async def test_a_deferred_chunk_is_asked_again_then_and_uses_up_no_attempt(desk, submission):
    job = submission(end=submission().start + timedelta(minutes=10))
    until = desk.clock.now() + timedelta(seconds=90)
    desk.answer = lambda request: [
        ChunkDeferredV1(**about(request), until=until, reason="ban", deferred_at=until)
    ]
    await desk.say(job)
    await desk.finish()
    desk.clock.advance(89)
    await desk.finish()
    assert len(desk.said(FetchRequestedV1)) == 1
    desk.clock.advance(2)
    await desk.work()
    assert [(r.release, r.attempt) for r in desk.said(FetchRequestedV1)] == [(1, 1), (2, 1)]


async def test_a_lost_lease_is_released_again_and_uses_up_no_attempt(desk, submission):
    await desk.say(submission(end=submission().start + timedelta(minutes=10)))
    desk.answer = lambda request: []
    await desk.finish()
    for seconds in (61, 121):
        desk.clock.advance(seconds)
        await desk.finish()
    assert [(r.release, r.attempt) for r in desk.said(FetchRequestedV1)] == [(1, 1), (2, 1), (3, 1)]


async def test_the_late_failure_of_a_stalled_worker_undoes_nothing(desk, submission, answers):
    job = submission(end=submission().start + timedelta(minutes=10))
    desk.answer = lambda request: []
    await desk.say(job)
    await desk.finish()
    desk.clock.advance(61)
    await desk.finish()
    old, new = desk.said(FetchRequestedV1)
    await desk.say(failure(old, transient=False), *answers(new), failure(old, transient=False))
    await desk.finish()
    assert desk.states(job.job_id)[-1] == "completed"


async def test_a_coordinator_that_was_away_gives_leases_time_before_it_releases_again(
    desk, submission, answers
):
    await desk.say(submission(end=submission().start + timedelta(minutes=10)))
    await desk.work()
    desk.clock.advance(600)
    await desk.say(*answers(desk.said(FetchRequestedV1)[0]))
    desk.start()
    await desk.resume()
    await desk.releases.step()
    await desk.finish()
    assert len(desk.said(FetchRequestedV1)) == 1


async def test_a_coordinator_says_again_at_its_start_what_workers_may_do(desk, submission):
    await desk.say(submission())
    await desk.work()
    desk.start()
    await desk.resume()
    await desk.work()
    assert [(c.generation, c.state) for c in desk.said(JobControlV1)] == [(0, "running")] * 2


async def test_a_small_job_gets_out_at_once_beside_a_big_one(desk, submission):
    big = submission(symbols=tuple(f"S{n}/USDT" for n in range(50)))
    small = submission(end=big.start + timedelta(minutes=10))
    desk.answer = lambda request: []
    await desk.say(big)
    await desk.work()
    await desk.say(small)
    await desk.work()
    desk.answer = desk.stored
    await desk.fetch()
    await desk.work()
    requests = desk.said(FetchRequestedV1)
    assert len(requests) == 10
    assert [request.job_id for request in requests].count(small.job_id) == 1


async def test_tasks_of_a_job_take_turns(desk, submission):
    await desk.say(submission(symbols=tuple(f"S{n}/USDT" for n in range(4))))
    await desk.work()
    released = [event.task_id for event in desk.said(ChunkReleasedV1)]
    assert len(released) == 5
    assert len(set(released)) == 4


async def test_a_job_that_breaks_a_rule_fails_and_its_command_is_rejected(desk, submission):
    job = submission(timeframes=("1m", "7m"))
    await desk.say(job)
    await desk.finish()
    assert isinstance(desk.outcomes[0], Reject)
    assert "7m" in desk.outcomes[0].reason
    (changed,) = desk.said(JobStateChangedV1)
    assert (changed.state, changed.reason) == ("failed", desk.outcomes[0].reason)


async def test_a_rejected_command_that_comes_again_is_rejected_again(desk, submission):
    """Its dead letter is written after the transaction: it may not have been."""
    await desk.say(submission(timeframes=("7m",)))
    await desk.finish()
    desk.read_again_from_the_start()
    await desk.finish()
    rejected = [outcome for outcome in desk.outcomes if isinstance(outcome, Reject)]
    assert len(rejected) == 2


async def test_a_command_with_a_known_job_id_changes_nothing(desk, submission):
    job = submission()
    await desk.say(job, job)
    await desk.finish()
    assert [type(outcome) for outcome in desk.outcomes[:2]] == [Done, Skip]
    assert len(desk.said(JobAcceptedV1)) == 1


async def test_the_wish_for_a_list_of_markets_goes_to_the_fetchers(desk):
    wish = ListMarketsV1(exchange="binance", requested_at=desk.clock.now())
    unknown = ListMarketsV1(exchange="binanse", requested_at=desk.clock.now())
    await desk.say(wish, unknown)
    await desk.finish()
    assert [event.exchange for event in desk.said(MarketsRequestedV1)] == ["binance"]
    assert any(isinstance(outcome, Reject) for outcome in desk.outcomes)


async def test_words_about_chunks_nobody_knows_change_nothing(desk, submission, answers):
    job = submission()
    await desk.say(job)
    await desk.work()
    request = desk.said(FetchRequestedV1)[0]
    before = await desk.tables()
    await desk.say(*answers(request.model_copy(update={"chunk_id": uuid4()})))
    await desk.consume()
    assert await desk.tables() == before


@pytest.mark.parametrize("name", ["job_id", "task_id"])
async def test_words_that_name_a_chunk_of_another_job_do_not_drown_the_true_ones(
    desk, submission, answers, name
):
    job, other = submission(), submission()
    await desk.say(job, other)
    await desk.work()
    confused = other.job_id if name == "job_id" else uuid4()
    desk.answer = lambda request: [
        event
        for true in answers(request)
        for false in [true.model_copy(update={name: confused})]
        for event in (false, true, false)
    ]
    await desk.finish()
    assert desk.states(job.job_id) == ["queued", "running", "completed"]


async def test_a_failure_that_counts_wildly_does_not_change_the_count_of_attempts(desk, submission):
    await desk.say(submission(max_attempts=2))
    wild = {"attempt": 2**31 - 2, "max_attempts": 2**31 - 1}
    desk.answer = lambda request: [failure(request, transient=True).model_copy(update=wild)]
    await desk.finish()
    desk.clock.advance(5)
    await desk.work()
    assert {(r.release, r.attempt) for r in desk.said(FetchRequestedV1)} == {(1, 1), (2, 2)}


async def test_a_big_job_leaves_no_row_per_chunk(desk, submission):
    job = submission(symbols=tuple(f"S{n}/USDT" for n in range(500)), start="2019-01-01T00:00:00Z")
    await desk.say(job)
    await desk.consume()
    await desk.plan()
    while await desk.relay.step():
        pass
    (accepted,) = desk.said(JobAcceptedV1)
    assert accepted.chunks_total > 1_300_000
    counts = {name: len(rows) for name, rows in (await desk.tables()).items()}
    assert (counts["tasks"], counts["ranges"], counts["chunks"]) == (500, 500, 0)
