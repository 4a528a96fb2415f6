"""A coordinator on a real Postgres whose every step is taken by the test."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
from tests.databases import template_of

from candlelog.archives.memory import MemoryArchive
from candlelog.clock import ManualClock
from candlelog.events.codec import Message
from candlelog.events.event import Event
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import SubmitJobV1
from candlelog.events.progress import (
    BatchStoredV1,
    ChunkFetchedV1,
    FeaturesStoredV1,
    JobStateChangedV1,
    TaskStateChangedV1,
)
from candlelog.events.replay import ReplayRequestedV1
from candlelog.log.memory.log import MemoryLog
from candlelog.log.outcome import Outcome
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition, Received, Record
from candlelog.market.profile import profile
from candlelog.stores.outbox import Relay
from candlelog.stores.postgres import Pool, connect
from candlelog.stores.transactions import Transactions
from coordinator.adapters.listings import Listings
from coordinator.adapters.memory import MemoryChanges, MemoryCoverage, MemoryStock
from coordinator.handlers.commands import Commands
from coordinator.handlers.plans import Plans
from coordinator.handlers.progress import ChunkProgress
from coordinator.handlers.release import Releases
from coordinator.handlers.replays import Replays
from coordinator.handlers.resume import resume
from coordinator.handlers.shadows import CandleReplays, ShadowProgress
from coordinator.handlers.submit import Submissions

TABLES = (
    "jobs", "submissions", "tasks", "claims", "queues", "ranges", "chunks", "series_features",
    "replays", "served", "shadows", "shadow_parts", "files", "outbox",
)  # fmt: skip
NOW = datetime(2024, 3, 1, 12, 0, 30, tzinfo=UTC)

EventT = TypeVar("EventT", bound=Event)
Request = FetchRequestedV1 | ReplayRequestedV1
Answer = Callable[[FetchRequestedV1], Iterable[Event]]
Computed = Callable[[Request], Iterable[Event]]


def _names(request: Request) -> dict[str, object]:
    return request.model_dump(include={"job_id", "task_id", "chunk_id", "generation", "release"})


def stored(request: FetchRequestedV1, *, explained: int | None = None) -> list[Event]:
    """What fetcher and sink say of the candles of a chunk that went well."""
    names = _names(request)
    slots = request.slots if explained is None else explained
    return [
        ChunkFetchedV1(
            **names, candles=slots, quarantined=0, parts=1, weight=2, fetched_by="f", fetched_at=NOW
        ),
        BatchStoredV1(
            **names, part=0, last_part=True, candles=slots, slots_explained=slots,
            quarantined=request.slots - slots, start=request.start, end=request.end, stored_at=NOW,
        ),
    ]  # fmt: skip


def computed(request: Request) -> list[Event]:
    """What the sink says of a chunk once its features are stored."""
    return [FeaturesStoredV1(**_names(request), features=9, stored_at=NOW)]


class Desk:
    """One coordinator, the log in memory, and whoever answers the requests: the test."""

    stored, computed = staticmethod(stored), staticmethod(computed)

    def __init__(self, pool: Pool, log: MemoryLog, clock: ManualClock, *, in_flight: int) -> None:
        self.pool, self.log, self.clock = pool, log, clock
        self.coverage = MemoryCoverage()
        self.archives = dict[str, MemoryArchive]()
        self.stock = MemoryStock()
        self.changes = MemoryChanges()
        self.in_flight = in_flight
        self.answer: Answer = stored
        self.compute: Computed = computed
        self.outcomes: list[Outcome] = []
        self._read: dict[Partition, int] = {}
        self._decoded: dict[tuple[Partition, int], Message] = {}
        self.start()

    def start(self, pool: Pool | None = None) -> None:
        """Begin as a fresh process does, from what Postgres and the log hold."""
        import asyncio

        pool = pool or self.pool
        self.publisher = Publisher(
            _Producer(self.log), source="t", clock=self.clock, topic_prefix="candlelog."
        )
        self.transactions = Transactions(pool, self.publisher)
        woken = asyncio.Event()
        replays = Replays(self.transactions, self.stock, self.clock)
        listings = Listings(self.archives, self.clock)
        self.submissions = Submissions(
            self.transactions, self.coverage, replays,
            listings=listings, clock=self.clock, releasable=woken,
        )  # fmt: skip
        self.plans = Plans(
            self.transactions, self.coverage, listings, self.clock, asked=asyncio.Event()
        )
        self.commands = Commands(
            self.transactions,
            self.submissions,
            replays,
            CandleReplays(self.transactions, self.changes, self.clock),
            plans=self.plans, woken=(woken,), clock=self.clock,
        )  # fmt: skip
        chunks = ChunkProgress(
            self.transactions, releasable=woken, clock=self.clock, random=Random(7)
        )
        self.progress = ShadowProgress(chunks, self.transactions, self.clock)
        venue = profile("binance").model_copy(update={"in_flight_chunks": self.in_flight})
        self.releases = Releases(self.transactions, [venue], self.clock)
        self.relay = Relay(pool, self.publisher)

    async def resume(self) -> None:
        await resume(self.transactions, self.clock)

    async def say(self, *events: Message) -> None:
        """Other services publish."""
        if events:
            await self.publisher.publish(*events)

    def unread(self, topic: str) -> list[Received]:
        return [
            receive(record)
            for record in self.log.records(f"candlelog.{topic}")
            if record.offset >= self._read.get(record.partition, 0)
        ]

    def mark_read(self, received: Sequence[Received]) -> None:
        for one in received:
            self._read[one.record.partition] = one.record.offset + 1

    def read_again_from_the_start(self) -> None:
        self._read.clear()

    async def consume(self) -> bool:
        """Handle every new command and event of progress; whether there was one."""
        found = False
        for topic, handle in (("jobs.commands", self.commands), ("progress", self.progress)):
            received = self.unread(topic)
            if received:
                self.outcomes += await handle(received)
                self.mark_read(received)
                found = True
        return found

    async def plan(self) -> None:
        """Plan every job that was taken, and make every plan that was asked for."""
        while await self.submissions.step():
            pass
        while await self.plans.step():
            pass

    async def work(self) -> None:
        """Consume, plan, release and publish once."""
        await self.consume()
        await self.plan()
        await self.releases.step()
        while await self.relay.step():
            pass

    async def fetch(self) -> bool:
        """Answer the requests that came; whether there was one."""
        received = self.unread("fetch.requested") + self.unread("replay.requested")
        for request in (one.event for one in received):
            match request:
                case FetchRequestedV1(feature_sets=()):
                    await self.say(*self.answer(request))
                case FetchRequestedV1():
                    await self.say(*self.answer(request), *self.compute(request))
                case ReplayRequestedV1():
                    await self.say(*self.compute(request))
                case _:
                    pass
        self.mark_read(received)
        return bool(received)

    async def finish(self, rounds: int = 200) -> None:
        """Work and answer until nothing moves any more."""
        for _ in range(rounds):
            await self.work()
            if not await self.fetch() and not await self.waiting():
                return
        raise AssertionError("it does not come to an end")

    async def waiting(self) -> bool:
        return bool(self.unread("progress") or self.unread("jobs.commands")) or bool(
            await self.pool.fetchval("SELECT count(*) FROM outbox")
        )

    def said(self, kind: type[EventT]) -> list[EventT]:
        """Events of one kind on the log, in order within a job."""
        return [event for event in self.said_on(kind.topic) if isinstance(event, kind)]

    def said_on(self, topic: str) -> list[Message]:
        return [self._event(record) for record in self.log.records(f"candlelog.{topic}")]

    def _event(self, record: Record) -> Message:
        """What a record says. Histories look at the whole log after each step: neither a record nor
        an event ever changes, so each is decoded once."""
        place = (record.partition, record.offset)
        if place not in self._decoded:
            self._decoded[place] = receive(record).event
        return self._decoded[place]

    def states(self, job_id: UUID) -> list[str]:
        return [e.state for e in self.said(JobStateChangedV1) if e.job_id == job_id]

    def task_states(self) -> dict[UUID, list[str]]:
        found: dict[UUID, list[str]] = {}
        for event in self.said(TaskStateChangedV1):
            found.setdefault(event.task_id, []).append(event.state)
        return found

    async def tables(self, *, but_for: str = "") -> dict[str, list[tuple[object, ...]]]:
        """Everything the coordinator keeps, but for offsets, and for columns of that name."""

        def kept(row: Mapping[str, object]) -> tuple[object, ...]:
            return tuple(value for name, value in row.items() if name != but_for)

        return {
            table: sorted(
                (kept(row) for row in await self.pool.fetch(f"SELECT * FROM {table}")), key=repr
            )
            for table in TABLES
        }


class _Producer:
    """Opens a producer of the log for each call, as no context lives as long as a test does."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def send(self, messages: Sequence[object]) -> Sequence[int]:
        async with self._log.producer() as producer:
            return await producer.send(messages)  # type: ignore[arg-type] -- what was given is passed on


@pytest.fixture(scope="session")
async def postgres_template(postgres_server_dsn: str) -> AsyncGenerator[str]:
    async with template_of(postgres_server_dsn, "coordinator", schema="coordinator") as name:
        yield name


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncGenerator[Pool]:
    async with connect(postgres_dsn, schema="coordinator", max_size=8) as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def desk(pool: Pool, clock: ManualClock) -> Desk:
    return Desk(pool, MemoryLog(clock=clock), clock, in_flight=5)


@pytest.fixture
def answers() -> Callable[..., list[Event]]:
    return stored


@pytest.fixture
def features() -> Callable[..., list[Event]]:
    return computed


@pytest.fixture
def submission() -> Callable[..., SubmitJobV1]:
    """A job of one symbol and 2,500 minutes (three chunks), but for what is said otherwise."""

    def make(**fields: object) -> SubmitJobV1:
        return SubmitJobV1.model_validate(
            {
                "job_id": uuid4(),
                "exchange": "binance",
                "symbols": ("BTC/USDT",),
                "timeframes": ("1m",),
                "start": datetime(2024, 1, 1, tzinfo=UTC),
                "end": datetime(2024, 1, 2, 17, 40, tzinfo=UTC),
                "submitted_by": "t",
                "submitted_at": NOW,
                **fields,
            }
        )

    return make
