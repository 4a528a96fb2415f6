"""Random histories of jobs: submitted, fetched, stopped, continued, deleted; and of crashes."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from services.coordinator.tests.connected.rules import Jobs
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
    SubmitJobV1,
)
from candlelog.events.progress import (
    ChunkDeferredV1,
    ChunkFailedV1,
    CommandAnsweredV1,
    JobStateChangedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)
from candlelog.log.receive import receive
from candlelog.market.states import Action, Status, transition

pytestmark = [pytest.mark.connected, pytest.mark.faults, pytest.mark.timeout(7200)]

HISTORIES = int(os.environ.get("CANDLELOG_HISTORIES", "15"))
KINDS = (CancelJobV1, DeleteJobV1, PauseJobV1, ResumeJobV1, RetryJobV1)
WAYS = ("stored", "poor", "fetched", "passing", "final", "later")
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
    """Another job, of so many symbols; commands about it, or some symbols, come in one batch with
    it: they meet a job that is not planned."""

    symbols: int
    at_once: tuple[tuple[type[SteerJob], tuple[str, ...]], ...] = ()


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


SUBMIT = st.builds(
    Submit,
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from(KINDS), some(SYMBOLS, 0, 1)), max_size=4).map(tuple),
)
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
        case "poor":
            return desk.stored(request, explained=request.slots - 1)
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
    """One history: the coordinator, what it has said so far, and what the rules make of it."""

    def __init__(self, desk, submission) -> None:
        self.desk, self.submission = desk, submission
        self.rules = Jobs()
        self.commands: list[UUID] = []
        self._unanswered: list[FetchRequestedV1] = []
        self._on_the_log: list[FetchRequestedV1] = []
        self._seen: set[tuple[UUID, int]] = set()

    async def step(self, step: Submit | Steer | Answer | Wait) -> None:
        """Let it happen, and have the coordinator do what there is to do."""
        match step:
            case Submit(count, at_once):
                job = self.submission(job_id=uuid4(), symbols=SYMBOLS[:count])
                commands = [self.command(kind, job.job_id, names) for kind, names in at_once]
                await self.steer(*commands, new=job)
            case Steer(kind, numbers, symbols, tasks):
                jobs = dict(enumerate(self.rules.all))
                chosen = [jobs[number] for number in numbers if number in jobs]
                await self.steer(*[self.command(kind, job, symbols, tasks) for job in chosen])
            case Answer(count, way, newest):
                first = max(0, len(self._unanswered) - count) if newest else 0
                taken = self._unanswered[first : first + count]
                del self._unanswered[first : first + count]
                self._on_the_log += taken if way == "fetched" else ()
                await self.answer(taken, way)
                await self.work()
            case Wait(seconds):
                self.desk.clock.advance(seconds)
                await self.work()

    async def answer(self, requests: Iterable[FetchRequestedV1], way: str) -> None:
        for request in requests:
            self.rules.answered(request, way)
            await self.desk.say(*answers(self.desk, request, way))
        self.rules.finish()

    def command(
        self,
        kind: type[SteerJob],
        job_id: UUID,
        symbols: tuple[str, ...] = (),
        tasks: tuple[int, ...] = (),
    ) -> SteerJob:
        """A command about a job; tasks that it has not are named too."""
        planned = self.desk.said(TaskPlannedV1)
        ids = dict.fromkeys(each.task_id for each in planned if each.job_id == job_id)
        known = dict(enumerate(ids))
        return kind(
            job_id=job_id, correlation_id=uuid4(), symbols=symbols,
            tasks=tuple(known.get(number, UUID(int=number)) for number in tasks),
            requested_by="t", requested_at=self.desk.clock.now(),
        )  # fmt: skip

    async def steer(self, *commands: SteerJob, new: SubmitJobV1 | None = None) -> None:
        """Say commands at once, perhaps behind a new job: each is answered as the rules say, and
        where they refuse all of them nothing changes."""
        if new is not None:
            self.rules.submit(new)
        names = self._symbols()
        verdicts = [self.rules.command(command, names) for command in commands]
        refused = new is None and not any(changes for _, changes in verdicts)
        before = await self.kept() if refused else {}
        self.commands += [command.correlation_id for command in commands]
        await self.desk.say(*([new] if new else []), *commands)
        await self.work()
        answers = {each.correlation_id: each for each in self.desk.said(CommandAnsweredV1)}
        for command, (code, _) in zip(commands, verdicts, strict=True):
            answer = answers[command.correlation_id]
            assert (answer.code, answer.accepted) == (code, code == "accepted"), command
            assert answer.reason
        if refused:
            assert await self.kept() == before

    async def kept(self) -> Mapping[str, object]:
        """What no refusal changes: all but the ends of leases, which are later after a start."""
        return await self.desk.tables(but_for="due_at")

    def _symbols(self) -> Mapping[UUID, str]:
        return {each.task_id: each.symbol for each in self.desk.said(TaskPlannedV1)}

    async def work(self) -> None:
        """Work until nothing is left that was said; a fetcher may do what is asked for then."""
        deaths = None
        while deaths != self.desk.pool.deaths or await self.desk.waiting():
            deaths = self.desk.pool.deaths
            await tolerant(self.desk, self.desk.work)
        self.rules.plan()
        for request in self.desk.said(FetchRequestedV1):
            if (request.chunk_id, request.release) not in self._seen:
                self._seen.add((request.chunk_id, request.release))
                self._unanswered.append(request)
                self.rules.asked(request)
        await self.compare()

    async def compare(self) -> None:
        """What is kept of jobs and tasks is what the rules say, and workers know what stands."""
        jobs = await self.desk.pool.fetch("SELECT job_id, status, generation, steered_by FROM jobs")
        assert {tuple(row) for row in jobs} == self.rules.job_rows()
        tasks = await self.desk.pool.fetch(
            "SELECT job_id, symbol, status, chunks_stored, chunks_failed, slots_explained"
            " FROM tasks"
        )
        assert Counter(tuple(row) for row in tasks) == Counter(self.rules.task_rows())
        names = self._symbols()
        controls = {each.job_id: each for each in self.desk.said(JobControlV1)}
        for job_id, job in self.rules.all.items():
            control = controls[job_id]
            assert (control.generation, control.state) == (job.generation, job.control)
            if job.state in ("queued", "running"):
                told = {names[task] for task in control.stopped}
                states = {symbol: task.state for symbol, task in job.tasks.items()}
                assert told >= {name for name in states if states[name] in ("paused", "cancelled")}
                assert not told & {name for name in states if states[name] in ("queued", "running")}

    async def settle(self) -> None:
        """Have everything go on, and everything that is asked for answered; the sink stores what
        the log holds."""
        for request in self._on_the_log:
            self.rules.answered(request, "stored")
            await self.desk.say(*self.desk.stored(request)[1:])
        for _ in range(60):
            await self.answer(self._unanswered, "stored")
            self._unanswered = []
            await self.work()
            going = [job_id for job_id, job in self.rules.all.items() if not job.done]
            if not going:
                return
            kinds = (ResumeJobV1, RetryJobV1)
            await self.steer(*(self.command(kind, job) for job in going for kind in kinds))
            self.desk.clock.advance(600)
            await self.work()
        raise AssertionError(f"it does not come to an end: {self.rules.all}")


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
    assert set(of_jobs) == set(history.rules.all)
    assert all(moves(changes, Status.PENDING) <= MOVES for changes in of_jobs.values())
    assert all(moves(changes, Status.QUEUED) <= MOVES for changes in of_tasks.values())
    assert Counter(answered(mortal.log)) == Counter(history.commands)
    kept = [job for job in history.rules.all.values() if job.state != "deleted"]
    stored = await desk.pool.fetch("SELECT chunks_stored, chunks_failed FROM tasks")
    assert [tuple(row) for row in stored] == [(3, 0)] * sum(len(job.symbols) for job in kept)
    for table in ("chunks", "claims", "outbox"):
        assert await desk.pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    incomplete = await desk.pool.fetch("SELECT task_id FROM tasks WHERE status != 'completed'")
    for table in ("queues", "ranges"):  # for a retry
        of = await desk.pool.fetch(f"SELECT DISTINCT task_id FROM {table}")
        assert {*of} == {*incomplete}, table
