"""A coordinator that dies at any step, or reads again what it has read, does no harm."""

from collections import Counter
from contextlib import asynccontextmanager
from random import Random
from uuid import UUID

import pytest

from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import CancelJobV1, PauseJobV1, ResumeJobV1, RetryJobV1, SteerJob
from candlelog.events.progress import (
    ChunkFailedV1,
    CommandAnsweredV1,
    JobAcceptedV1,
    JobStateChangedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)
from candlelog.events.replay import ReplayRequestedV1

pytestmark = pytest.mark.connected


class Crash(Exception):
    """The process is gone."""


class DyingPool:
    """A pool whose process dies again and again, after up to `most` steps.

    Steps are the statements, where Postgres makes a rollback of the lost connection, and the moment
    after each commit, when nobody has heard of it yet.
    """

    def __init__(self, pool, most: int, random: Random) -> None:
        self._pool, self._most, self._random = pool, most, random
        self._left = random.randint(1, most)
        self.deaths = 0

    def step(self) -> None:
        self._left -= 1
        if not self._left:
            self._left = self._random.randint(1, self._most)
            self.deaths += 1
            raise Crash

    def __getattr__(self, name: str):
        return getattr(self._pool, name)

    @asynccontextmanager
    async def acquire(self):
        async with self._pool.acquire() as connection:
            yield DyingConnection(connection, self)
        self.step()


class DyingConnection:
    def __init__(self, connection, pool: DyingPool) -> None:
        self._connection, self._pool = connection, pool

    def transaction(self):
        return self._connection.transaction()

    def __getattr__(self, name: str):
        method = getattr(self._connection, name)

        async def call(*args, **kwargs):
            self._pool.step()
            return await method(*args, **kwargs)

        return call


EMPTY = (
    "TRUNCATE jobs, submissions, tasks, claims, queues, ranges, chunks, series_features, replays,"
    " served, outbox, consumed_offsets"
)
JOB, OTHER = UUID(int=1), UUID(int=2)


async def play(desk, submission) -> None:
    """A job with a failing chunk and one that is cancelled; answers come for every request.

    Both ask for features.
    """
    with_features = {"features": True, "feature_sets": (DEFAULT,)}

    def answer(request):
        if request.attempt == 1 and request.slots == 500:
            names = ("job_id", "task_id", "chunk_id", "generation", "release", "attempt")
            fields = request.model_dump(include=set(names))
            return [
                ChunkFailedV1(
                    **fields, code="c", message="m", transient=True, max_attempts=3,
                    failed_at=request.start,
                )
            ]  # fmt: skip
        return desk.stored(request)

    desk.answer = answer
    other = submission(job_id=OTHER, symbols=tuple(f"S{n}/USDT" for n in range(4)), **with_features)
    cancel = CancelJobV1(
        job_id=OTHER, correlation_id=UUID(int=7), requested_by="t", requested_at=other.end
    )
    await desk.say(submission(job_id=JOB, **with_features), other)
    while await desk.pool.fetchval("SELECT count(DISTINCT job_id) FROM tasks") < 2:
        await tolerant(desk, desk.work)
    await desk.say(cancel)
    for _ in range(40):
        await tolerant(desk, desk.work)
        await tolerant(desk, desk.fetch)
        desk.clock.advance(20)
        if await settled(desk):
            return
    raise AssertionError("it does not come to an end")


async def play_steered(desk, submission) -> None:
    """One job is paused and resumed, another cancelled and retried."""

    def command(kind: type[SteerJob], job_id: UUID, number: int) -> SteerJob:
        return kind(
            job_id=job_id, correlation_id=UUID(int=number), requested_by="t",
            requested_at=desk.clock.now(),
        )  # fmt: skip

    desk.answer = desk.stored
    symbols = tuple(f"S{n}/USDT" for n in range(4))
    await desk.say(submission(job_id=JOB), submission(job_id=OTHER, symbols=symbols))
    await tolerant(desk, desk.work)
    await desk.say(command(PauseJobV1, JOB, 7), command(CancelJobV1, OTHER, 8))
    await tolerant(desk, desk.work)
    await tolerant(desk, desk.fetch)
    await desk.say(command(ResumeJobV1, JOB, 9), command(RetryJobV1, OTHER, 10))
    for _ in range(40):
        await tolerant(desk, desk.work)
        await tolerant(desk, desk.fetch)
        desk.clock.advance(20)
        if await settled(desk):
            return
    raise AssertionError("it does not come to an end")


async def settled(desk) -> bool:
    over = await desk.pool.fetchval(
        "SELECT count(*) FROM jobs WHERE status IN ('completed', 'cancelled')"
    )
    return over == 2 and not await desk.waiting()


async def tolerant(desk, step) -> None:
    """Take a step; a process that dies in it is replaced by a fresh one."""
    try:
        await step()
    except Crash:
        desk.start()
        await tolerant(desk, desk.resume)


def story(desk) -> set[object]:
    """What was said of the first job and in answer to the command, however often."""
    changes = {(e.task_id, e.version, e.state) for e in desk.said(TaskStateChangedV1)}
    states = {(e.job_id, e.version, e.state) for e in desk.said(JobStateChangedV1)}
    for said in (changes, states):
        assert len({(name, version) for name, version, _ in said}) == len(said)
    mine = {e.task_id for e in desk.said(TaskPlannedV1) if e.job_id == JOB}
    return {
        *(change for change in changes if change[0] in mine),
        *(state for state in states if state[0] == JOB),
        *((e.correlation_id, e.code) for e in desk.said(CommandAnsweredV1)),
        *((e.job_id, e.chunks_total) for e in desk.said(JobAcceptedV1)),
        *((e.job_id, e.task_id, e.chunks_total) for e in desk.said(TaskPlannedV1)),
    }


async def end_of(desk) -> object:
    """How both jobs ended; how far the cancelled one had come is chance."""
    rows = await desk.pool.fetch("SELECT job_id, status, generation FROM jobs")
    claims = await desk.pool.fetch("SELECT * FROM claims")
    tasks = await desk.pool.fetch(
        "SELECT status, version, chunks_stored, chunks_failed, slots_explained FROM tasks"
        " WHERE job_id = $1",
        JOB,
    )
    left = await desk.pool.fetchval("SELECT count(*) FROM chunks")
    features = await desk.pool.fetch(
        "SELECT complete, job_id FROM series_features WHERE symbol = 'BTC/USDT'"
    )
    return *(sorted(map(tuple, found)) for found in (rows, tasks, claims, features)), left


async def test_crashes_at_any_statement_leave_what_no_crash_leaves(desk, submission):
    await play(desk, submission)
    expected, told = await end_of(desk), story(desk)
    assert {row[1] for row in expected[0]} == {"completed", "cancelled"}
    assert expected[3] == [(True, JOB)]
    deaths = 0
    for seed in range(10):
        await desk.pool.execute(EMPTY)
        dying = DyingPool(desk.pool, 60, Random(seed))
        log = type(desk.log)(clock=desk.clock)
        mortal = type(desk)(dying, log, desk.clock, in_flight=5)
        await play(mortal, submission)
        assert await end_of(mortal) == expected, f"with the deaths of seed {seed}"
        assert story(mortal) == told, f"with the deaths of seed {seed}"
        deaths += dying.deaths
    assert deaths > 40


async def test_crashes_at_any_statement_strand_nothing_that_is_stopped_and_goes_on(
    desk, submission
):
    deaths = 0
    for seed in range(10):
        await desk.pool.execute(EMPTY)
        dying = DyingPool(desk.pool, 60, Random(seed))
        mortal = type(desk)(dying, type(desk.log)(clock=desk.clock), desk.clock, in_flight=5)
        await play_steered(mortal, submission)
        answers = {each.correlation_id.int: each.code for each in mortal.said(CommandAnsweredV1)}
        assert answers == dict.fromkeys((7, 8, 9, 10), "accepted"), f"deaths of seed {seed}"
        jobs = await desk.pool.fetch("SELECT status, generation, tasks_completed FROM jobs")
        assert sorted(map(tuple, jobs)) == [("completed", 2, 1), ("completed", 2, 4)]
        tasks = await desk.pool.fetch("SELECT chunks_stored, slots_explained FROM tasks")
        assert {tuple(row) for row in tasks} == {(3, 2500)}
        left = await desk.pool.fetch("SELECT FROM chunks UNION ALL SELECT FROM queues")
        assert left == []
        deaths += dying.deaths
    assert deaths > 40


async def test_a_crash_between_publishing_and_deleting_publishes_again_and_no_more(
    desk, submission
):
    await desk.say(submission())
    await desk.consume()
    await desk.plan()
    await desk.releases.step()
    pool = DyingPool(desk.pool, 3, Random())
    pool._left = 3
    desk.start(pool)
    with pytest.raises(Crash):
        await desk.relay.step()
    desk.start()
    await desk.finish()
    releases = Counter((r.chunk_id, r.release) for r in desk.said(FetchRequestedV1))
    assert set(releases.values()) == {2}
    assert desk.states(desk.said(JobAcceptedV1)[0].job_id)[-1] == "completed"


async def test_reading_everything_again_changes_nothing(desk, submission):
    await play(desk, submission)
    before, said = await desk.tables(), len(desk.log.records("candlelog.progress"))
    desk.read_again_from_the_start()
    await desk.work()
    assert await desk.tables() == before
    assert len(desk.log.records("candlelog.progress")) == said


async def test_the_same_words_at_new_offsets_change_nothing(desk, submission):
    await play(desk, submission)
    before = await desk.tables()
    requests = {r.chunk_id: r for r in desk.said(FetchRequestedV1)}
    await desk.say(*(event for r in requests.values() for event in desk.stored(r)))
    replays = {r.chunk_id: r for r in desk.said(ReplayRequestedV1)}
    both = (*requests.values(), *replays.values())
    await desk.say(*(event for r in both for event in desk.computed(r)))
    states = len(desk.said(TaskStateChangedV1))
    await desk.consume()
    assert await desk.tables() == before
    assert len(desk.said(TaskStateChangedV1)) == states
