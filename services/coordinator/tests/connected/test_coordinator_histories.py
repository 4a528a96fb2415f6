"""Random histories of jobs: submitted, fetched, stopped, continued, deleted; and of crashes."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from services.coordinator.tests.connected.test_coordinator_crashes import (
    EMPTY,
    DyingPool,
    tolerant,
)

from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import (
    CancelJobV1,
    DeleteJobV1,
    JobControlV1,
    PauseJobV1,
    ResumeJobV1,
    RetryJobV1,
    SteerJob,
)
from candlelog.events.progress import (
    ChunkDeferredV1,
    ChunkFailedV1,
    CommandAnsweredV1,
    JobStateChangedV1,
    TaskStateChangedV1,
)
from candlelog.log.receive import receive
from candlelog.market.states import Action, Status, transition
from coordinator.adapters import job_rows, task_rows
from coordinator.domain.jobs import Job
from coordinator.domain.steering import Decision, Task, decide

pytestmark = [pytest.mark.connected, pytest.mark.faults, pytest.mark.timeout(7200)]

HISTORIES = int(os.environ.get("CANDLELOG_HISTORIES", "15"))
KINDS = (CancelJobV1, DeleteJobV1, PauseJobV1, ResumeJobV1, RetryJobV1)
OVER = ("completed", "deleted")
WAYS = ("stored", "fetched", "passing", "final", "later")
SYMBOLS = ("S0/USDT", "S1/USDT", "S2/USDT")
MOVES = {
    (before, after)
    for before in Status
    for action in Action
    if isinstance(after := transition(before, action), Status)
}
"""Every pair of states that may follow each other."""


@dataclass(frozen=True)
class Submit:
    """Another job, of so many symbols."""

    symbols: int


@dataclass(frozen=True)
class Steer:
    """A command about each of some jobs, or about some symbols and tasks of each."""

    kind: type[SteerJob]
    jobs: tuple[int, ...]
    symbols: tuple[str, ...] = ()
    tasks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Answer:
    """So many requests are answered, all in one way: the oldest, or the newest."""

    count: int
    way: str
    newest: bool


@dataclass(frozen=True)
class Wait:
    """Time passes: leases end, and waits."""

    seconds: int


def some(values: Sequence[object], least: int, most: int) -> st.SearchStrategy[tuple[object, ...]]:
    """That many of them, each once, in any order."""
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True).map(tuple)


SUBMIT = st.builds(Submit, st.integers(1, 3))
STEPS = st.lists(
    st.one_of(
        SUBMIT,
        st.builds(Steer, st.sampled_from(KINDS), some(range(3), 1, 3)),
        st.builds(
            Steer,
            st.sampled_from(KINDS),
            some(range(3), 1, 1),
            some(SYMBOLS, 0, 2),
            some(range(3), 0, 2),
        ),
        st.builds(Answer, st.integers(1, 6), st.sampled_from(WAYS), st.booleans()),
        st.builds(Wait, st.sampled_from((1, 30, 130))),
    ),
    min_size=10,
    max_size=30,
)


def answers(desk, request: FetchRequestedV1, way: str) -> Iterable[object]:
    """What fetcher and sink say of a request."""
    fields = request.model_dump(include={"job_id", "task_id", "chunk_id", "generation", "release"})
    now = desk.clock.now()
    match way:
        case "stored":
            return desk.stored(request)
        case "fetched":
            return desk.stored(request)[:1]
        case "later":
            return [ChunkDeferredV1(**fields, until=now, reason="later", deferred_at=now)]
        case _:
            return [
                ChunkFailedV1(
                    **fields, code="c", message="m", transient=way == "passing",
                    attempt=request.attempt, max_attempts=request.max_attempts, failed_at=now,
                )
            ]  # fmt: skip


class History:
    """One history: the coordinator, and what it has said so far."""

    def __init__(self, desk, submission) -> None:
        self.desk, self.submission = desk, submission
        self.jobs: list[UUID] = []
        self.commands: list[UUID] = []
        self._unanswered: list[FetchRequestedV1] = []
        self._on_the_log: list[FetchRequestedV1] = []
        self._seen: set[tuple[UUID, int]] = set()

    async def step(self, step: Submit | Steer | Answer | Wait) -> None:
        """Let it happen, and have the coordinator do what there is to do."""
        match step:
            case Submit(count):
                job = self.submission(job_id=uuid4(), symbols=SYMBOLS[:count])
                self.jobs.append(job.job_id)
                await self.desk.say(job)
            case Steer(kind, numbers, symbols, tasks):
                jobs = [self.jobs[number] for number in numbers if number < len(self.jobs)]
                await self.steer(*[await self.command(kind, job, symbols, tasks) for job in jobs])
            case Answer(count, way, newest):
                first = max(0, len(self._unanswered) - count) if newest else 0
                taken = self._unanswered[first : first + count]
                del self._unanswered[first : first + count]
                self._on_the_log += taken if way == "fetched" else ()
                for request in taken:
                    await self.desk.say(*answers(self.desk, request, way))
            case Wait(seconds):
                self.desk.clock.advance(seconds)
            case _:
                return
        await self.work()

    async def command(
        self,
        kind: type[SteerJob],
        job_id: UUID,
        symbols: tuple[str, ...] = (),
        tasks: tuple[int, ...] = (),
    ) -> SteerJob:
        """A command about a job; tasks that it has not are named too."""
        known = dict(enumerate(task.task_id for task in await self._tasks(job_id)))
        return kind(
            job_id=job_id, correlation_id=uuid4(), symbols=symbols,
            tasks=tuple(known.get(number, UUID(int=number)) for number in tasks),
            requested_by="t", requested_at=self.desk.clock.now(),
        )  # fmt: skip

    async def say(self, *commands: SteerJob) -> None:
        """Say commands, each of which is to be answered once."""
        self.commands += [command.correlation_id for command in commands]
        await self.desk.say(*commands)

    async def steer(self, *commands: SteerJob) -> None:
        """Say commands about different jobs at once: the rules decide each on what was there
        before, and what they refuse changes nothing."""
        decided = [(command, *await self._decide(command)) for command in commands]
        refused = not any(decision.changes for _, _, decision in decided)
        before = await self.desk.tables() if refused else {}
        await self.say(*commands)
        await self.work()
        answers = {each.correlation_id: each for each in self.desk.said(CommandAnsweredV1)}
        for command, job, decision in decided:
            answer, after = answers[command.correlation_id], await self._job(job.job_id)
            assert (answer.code, answer.reason) == (decision.code, decision.reason)
            assert answer.accepted == decision.accepted
            assert after.generation == job.generation + (decision.job is not None)
            by = command.correlation_id if decision.changes else job.steered_by
            assert after.steered_by == by
        if refused:
            assert await self.desk.tables() == before

    async def _decide(self, command: SteerJob) -> tuple[Job, Decision]:
        job = await self._job(command.job_id)
        return job, decide(job, await self._tasks(job.job_id), command)

    async def _job(self, job_id: UUID) -> Job:
        return (await job_rows.lock(self.desk.pool, [job_id]))[job_id]

    async def _tasks(self, job_id: UUID) -> Sequence[Task]:
        return await task_rows.to_steer(self.desk.pool, job_id)

    async def work(self) -> None:
        """Work until nothing is left that was said; a fetcher may do what is asked for then."""
        deaths = None
        while deaths != self.desk.pool.deaths or await self.desk.waiting():
            deaths = self.desk.pool.deaths
            await tolerant(self.desk, self.desk.work)
        controls = {each.job_id: each for each in self.desk.said(JobControlV1)}
        for request in self.desk.said(FetchRequestedV1):
            if (request.chunk_id, request.release) in self._seen:
                continue
            self._seen.add((request.chunk_id, request.release))
            self._unanswered.append(request)
            control = controls[request.job_id]
            assert (request.generation, "running") == (control.generation, control.state)
            assert request.task_id not in control.stopped

    async def settle(self) -> None:
        """Have everything go on, and everything that is asked for answered; the sink stores what
        the log holds."""
        for request in self._on_the_log:
            await self.desk.say(*self.desk.stored(request)[1:])
        for _ in range(60):
            for request in self._unanswered:
                await self.desk.say(*self.desk.stored(request))
            self._unanswered = []
            await self.work()
            rows = await self.desk.pool.fetch("SELECT job_id, status FROM jobs")
            statuses = {row["job_id"]: row["status"] for row in rows}
            going = [job for job, status in statuses.items() if status not in OVER]
            if not going:
                return
            for job_id in going:
                await self.say(await self.command(ResumeJobV1, job_id))
                await self.say(await self.command(RetryJobV1, job_id))
            await self.work()
            self.desk.clock.advance(600)
            await self.work()
        raise AssertionError(f"it does not come to an end: {statuses}")


def moves(changes: Iterable[JobStateChangedV1 | TaskStateChangedV1], first: Status) -> set[object]:
    """Which states followed which, of one job or task, whose versions count on by one."""
    said = dict.fromkeys((change.version, Status(change.state)) for change in changes)
    assert [version for version, _ in said] == list(range(1, len(said) + 1))
    return set(pairwise([first, *(state for _, state in said)]))


def answered(log) -> list[UUID]:
    """The commands that answers are about; a record that is there twice is one answer."""
    records = [receive(record) for record in log.records("candlelog.progress")]
    answers = {each.envelope.id: each.event for each in records}
    return [a.correlation_id for a in answers.values() if isinstance(a, CommandAnsweredV1)]


@settings(max_examples=HISTORIES, suppress_health_check=list(HealthCheck), deadline=None)
@given(first=SUBMIT, steps=STEPS, seed=st.integers(0, 2**32))
async def test_whatever_happens_everything_can_be_brought_to_its_end(
    desk, submission, first: Submit, steps: list[Submit | Steer | Answer | Wait], seed: int
):
    await desk.pool.execute(EMPTY)
    dying = DyingPool(desk.pool, 150, Random(seed))
    mortal = type(desk)(dying, type(desk.log)(clock=desk.clock), desk.clock, in_flight=5)
    history = History(mortal, submission)
    for step in (first, *steps):
        await history.step(step)
    await history.settle()

    of_jobs: defaultdict[UUID, list[JobStateChangedV1]] = defaultdict(list)
    of_tasks: defaultdict[UUID, list[TaskStateChangedV1]] = defaultdict(list)
    for change in mortal.said(JobStateChangedV1):
        of_jobs[change.job_id].append(change)
    for change in mortal.said(TaskStateChangedV1):
        of_tasks[change.task_id].append(change)
    assert set(of_jobs) == set(history.jobs)
    assert all(moves(changes, Status.PENDING) <= MOVES for changes in of_jobs.values())
    assert all(moves(changes, Status.QUEUED) <= MOVES for changes in of_tasks.values())
    assert Counter(answered(mortal.log)) == Counter(history.commands)
    tasks = await desk.pool.fetch("SELECT status, chunks_stored, slots_explained FROM tasks")
    assert {tuple(row) for row in tasks} <= {("completed", 3, 2500)}
    for table in ("chunks", "queues", "ranges", "claims", "outbox"):
        assert await desk.pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table
