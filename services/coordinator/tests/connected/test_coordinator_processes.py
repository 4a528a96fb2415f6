"""Two coordinator processes on the real broker, killed in turn: while a job with features runs, and
while commands stream in."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import asyncpg
import pytest

from candlelog.clock import SystemClock
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import (
    CancelJobV1,
    JobControlV1,
    PauseJobV1,
    ResumeJobV1,
    RetryJobV1,
    SteerJob,
    SubmitJobV1,
)
from candlelog.events.progress import CommandAnsweredV1, JobStateChangedV1, TaskStateChangedV1
from candlelog.events.replay import ReplayRequestedV1
from candlelog.log.kafka.log import KafkaLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.market.states import Status
from candlelog_embedded.process import free_ports
from coordinator.domain.announcing import control
from coordinator.domain.jobs import Job
from coordinator.domain.steering import decide

pytestmark = pytest.mark.connected

START = datetime(2024, 1, 1, tzinfo=UTC)
CHUNKS, PAGE = 20, 1000
KILLS = 1 + int(os.environ.get("CANDLELOG_FAULT_SEEDS", "1"))
STEERED = (
    "SELECT job_id, CASE WHEN status IN ('pending', 'running') THEN 'queued' ELSE status END,"
    " generation, steered_by FROM coordinator.jobs"
)


class World:
    """The log as the test sees it, and a worker that answers one request after another."""

    def __init__(self, log: KafkaLog, prefix: str, environment: dict[str, str]) -> None:
        self.log, self.prefix, self._environment = log, prefix, environment
        self.requests: list[FetchRequestedV1] = []
        self.replays: list[ReplayRequestedV1] = []
        self.said: list[object] = []
        self.processes: list[Process] = []

    async def start_process(self) -> None:
        """Start a coordinator; it is at work when its port answers."""
        (port,) = free_ports(1, Random())
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "coordinator",
            env=self._environment | {"COORDINATOR_HTTP_PORT": str(port)},
        )  # fmt: skip
        self.processes.append(process)
        async with asyncio.timeout(240):
            while not await _answers(port):
                assert process.returncode is None, "a coordinator ended while it started"
                await asyncio.sleep(0.05)

    async def fetch(self, publisher: Publisher, answers, features) -> None:
        """Play fetcher, sink and featurizer, one chunk after the other."""
        async with self.log.consumer(
            [f"{self.prefix}fetch.requested"], f"{self.prefix}worker"
        ) as consumer:
            while True:
                for record in await consumer.poll(max_records=10, timeout=0.1):
                    event = receive(record).event
                    assert isinstance(event, FetchRequestedV1)
                    self.requests.append(event)
                    await publisher.publish(*answers(event), *features(event))
                    await asyncio.sleep(0.02)

    async def compute(self, publisher: Publisher, features) -> None:
        """Play the featurizer for what is stored already."""
        async with self.log.consumer(
            [f"{self.prefix}replay.requested"], f"{self.prefix}featurizer"
        ) as consumer:
            while True:
                for record in await consumer.poll(max_records=10, timeout=0.1):
                    event = receive(record).event
                    assert isinstance(event, ReplayRequestedV1)
                    self.replays.append(event)
                    await publisher.publish(*features(event))

    async def listen(self) -> None:
        """Keep everything that is said of jobs, in order within a topic and a job."""
        topics = [f"{self.prefix}{name}" for name in ("progress", "jobs.control")]
        async with self.log.tail(topics, start="beginning") as tail:
            while True:
                records = await tail.poll(max_records=1000, timeout=0.1)
                self.said += [receive(record).event for record in records]

    def states(self) -> list[tuple[int, str]]:
        return [(e.version, e.state) for e in self.said if isinstance(e, JobStateChangedV1)]

    def answers(self) -> set[CommandAnsweredV1]:
        """What a reader knows of commands: a record that is there twice says nothing more."""
        return {event for event in self.said if isinstance(event, CommandAnsweredV1)}

    def fences(self) -> set[JobControlV1]:
        """What fetchers are told of jobs that were steered."""
        return {
            event for event in self.said if isinstance(event, JobControlV1) and event.generation
        }


class Rules:
    """What the rules make of commands, one after the other, about jobs of which no request is
    answered: only commands change them. A job that goes on counts as queued, however far it is."""

    def __init__(self) -> None:
        self.jobs: dict[UUID, Job] = {}
        self.codes: dict[UUID, str] = {}
        self.fences: set[JobControlV1] = set()

    def take(self, command: SubmitJobV1 | SteerJob) -> None:
        job = self.jobs.get(command.job_id)
        if isinstance(command, SteerJob):
            decision = decide(job, (), command, unplanned=True)
            self.codes[command.correlation_id] = decision.code
            if job is None or decision.job is None:
                return
            job = self.jobs[job.job_id] = replace(
                job, status=decision.job, generation=job.generation + 1,
                steered_by=command.correlation_id,
            )  # fmt: skip
            self.fences.add(control(job))
        elif job is None:
            self.jobs[command.job_id] = Job(
                command.job_id, command.exchange, Status.QUEUED, version=0, generation=0,
                max_attempts=command.max_attempts, steered_by=None,
            )  # fmt: skip

    def rows(self) -> set[tuple[object, ...]]:
        """What `STEERED` finds of the jobs."""
        return {(j.job_id, j.status, j.generation, j.steered_by) for j in self.jobs.values()}


@pytest.fixture
async def world(kafka_bootstrap, topics, postgres_dsn, clickhouse_url) -> AsyncGenerator[World]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CANDLELOG_")
    } | {
        "CANDLELOG_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "CANDLELOG_POSTGRES_DSN": postgres_dsn,
        "CANDLELOG_CLICKHOUSE_URL": clickhouse_url,
        "CANDLELOG_TOPIC_PREFIX": topics,
    }
    made = World(KafkaLog(kafka_bootstrap), topics, environment)
    yield made
    for process in made.processes:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _answers(port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(240):
        while not met():  # noqa: ASYNC110 -- what is waited for are other processes
            await asyncio.sleep(0.05)


def command(random: Random, job_id: UUID, submission) -> SubmitJobV1 | SteerJob:
    """Any command about a job: it may contradict what was said before, or be said too early."""
    kind = random.choice((SubmitJobV1, CancelJobV1, PauseJobV1, ResumeJobV1, RetryJobV1))
    if kind is SubmitJobV1:
        return submission(job_id=job_id)
    return kind(job_id=job_id, correlation_id=uuid4(), requested_by="t", requested_at=START)


async def test_two_coordinators_killed_in_turn_finish_a_job_as_one_that_lives(
    world: World, postgres_dsn: str, answers, features
):
    job = SubmitJobV1(
        job_id=uuid4(), exchange="binance", symbols=("BTC/USDT", "ETH/USDT", "XRP/USDT"),
        timeframes=("1m",), start=START, end=START + timedelta(minutes=CHUNKS * PAGE),
        features=True, feature_sets=(DEFAULT,), submitted_by="t", submitted_at=START,
    )  # fmt: skip
    for _ in range(2):
        await world.start_process()
    async with world.log.producer() as producer:
        publisher = Publisher(producer, source="t", clock=SystemClock(), topic_prefix=world.prefix)
        working = asyncio.gather(
            world.fetch(publisher, answers, features),
            world.compute(publisher, features),
            world.listen(),
        )
        try:
            await publisher.publish(job)
            for number, share in enumerate((10, 30)):
                await until(lambda share=share: len(world.requests) >= share)
                world.processes[number].kill()
                await world.start_process()
            await until(lambda: (3, "completed") in world.states())
            for process in world.processes[2:]:
                process.send_signal(signal.SIGTERM)
            assert [await process.wait() for process in world.processes[2:]] == [0, 0]
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
    assert list(dict.fromkeys(world.states())) == [(1, "queued"), (2, "running"), (3, "completed")]
    ended = {e.task_id: e.state for e in world.said if isinstance(e, TaskStateChangedV1)}
    assert sorted(ended.values()) == ["completed"] * 3
    asked = {(r.symbol, r.start, r.slots) for r in world.requests}
    assert len(asked) == 3 * CHUNKS
    assert len({replay.symbol for replay in world.replays}) == 3
    assert await _kept(postgres_dsn) == [(CHUNKS + 1, 0, CHUNKS * PAGE)] * 3
    assert await _complete(postgres_dsn) == [True] * 3


@pytest.mark.faults
async def test_of_commands_that_stream_in_while_coordinators_are_killed_each_is_applied_once(
    world: World, postgres_dsn: str, submission
):
    rules, random, enough = Rules(), Random(5), asyncio.Event()
    jobs = [uuid4() for _ in range(8)]

    async def stream(publisher: Publisher) -> None:
        while not enough.is_set():
            said = command(random, random.choice(jobs), submission)
            rules.take(said)
            await publisher.publish(said)
            await asyncio.sleep(0.01)

    for _ in range(2):
        await world.start_process()
    async with world.log.producer() as producer, asyncio.TaskGroup() as working:
        publisher = Publisher(producer, source="t", clock=SystemClock(), topic_prefix=world.prefix)
        listening = working.create_task(world.listen())
        streaming = working.create_task(stream(publisher))
        for number in range(KILLS):
            share = len(world.answers()) + 50
            await until(lambda share=share: len(world.answers()) >= share)
            world.processes[number].kill()
            await world.start_process()
        enough.set()
        await streaming
        await until(lambda: {each.correlation_id for each in world.answers()} >= set(rules.codes))
        await until(lambda: world.fences() >= rules.fences)
        listening.cancel()
    answers = world.answers()
    assert {answer.correlation_id: answer.code for answer in answers} == rules.codes
    assert len(answers) == len(rules.codes)
    assert world.fences() == rules.fences
    assert set(await _rows(postgres_dsn, STEERED)) == rules.rows()


async def _kept(dsn: str) -> list[tuple[int, ...]]:
    return await _rows(
        dsn, "SELECT chunks_stored, chunks_failed, slots_explained FROM coordinator.tasks"
    )


async def _complete(dsn: str) -> list[bool]:
    rows = await _rows(dsn, "SELECT complete FROM coordinator.series_features")
    return [complete for (complete,) in rows]


async def _rows(dsn: str, sql: str) -> list[tuple[int, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()
