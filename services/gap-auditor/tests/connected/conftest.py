"""A gap auditor on a real Postgres whose every step is taken by the test."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4, uuid5

import pyarrow as pa
import pytest
from tests.databases import clickhouse_database, clickhouse_database_url, empty, template_of

from candlelog.clock import ManualClock, SystemClock
from candlelog.events.codec import Message
from candlelog.events.event import Event
from candlelog.events.gaps import GapChangedV1, GapClosedV1, GapOpenedV1
from candlelog.events.jobs import FillGapsV1, GapToFill
from candlelog.events.progress import (
    BatchStoredV1,
    JobStateChangedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)
from candlelog.log.memory.log import MemoryLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition, Received
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotState
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.outbox import Relay
from candlelog.stores.postgres import Pool, connect
from candlelog.stores.transactions import Transactions
from gap_auditor.adapters.memory import MemorySlots
from gap_auditor.adapters.slots import ClickHouseSlots
from gap_auditor.handlers.audits import Audits
from gap_auditor.handlers.repairs import Repairs
from gap_auditor.handlers.rereads import Rereads
from gap_auditor.handlers.resume import resume
from gap_auditor.ports import Slots

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
BTC = Series("binance", "BTC/USDT", "1m")

EventT = TypeVar("EventT", bound=Event)
GapEvent = GapOpenedV1 | GapChangedV1 | GapClosedV1


def at(slot: int) -> datetime:
    return datetime(2024, 2, 1, tzinfo=UTC) + timedelta(minutes=slot)


def minutes(start: int, end: int) -> TimeRange:
    return TimeRange(at(start), at(end))


def place(time: datetime) -> int:
    return (time - at(0)) // timedelta(minutes=1)


class Job:
    """A job with a task for each of some series, over the same minutes."""

    def __init__(self, start: int, end: int, *series: Series) -> None:
        self.job_id = uuid4()
        self.window = (at(start), at(end))
        self.series = series or (BTC,)

    def task_id(self, series: Series) -> UUID:
        return uuid5(self.job_id, series.text)

    def planned(self) -> list[Event]:
        return [
            TaskPlannedV1(
                job_id=self.job_id, task_id=self.task_id(each), exchange=each.exchange,
                symbol=each.symbol, timeframe=each.timeframe, start=self.window[0],
                end=self.window[1], route_reason="r", chunks_total=1, slots_expected=1,
                slots_covered=0, planned_at=NOW,
            )
            for each in self.series
        ]  # fmt: skip

    def tasks(self, state: str = "completed", version: int = 2) -> list[Event]:
        return [
            TaskStateChangedV1(
                job_id=self.job_id, task_id=self.task_id(each), version=version, state=state,
                changed_at=NOW,
            )
            for each in self.series
        ]  # fmt: skip

    def ended(self, state: str = "completed", version: int = 3) -> Event:
        return JobStateChangedV1(
            job_id=self.job_id, version=version, generation=0, state=state, changed_at=NOW
        )

    def stored(self, series: Series = BTC) -> Event:
        return BatchStoredV1(
            job_id=self.job_id, task_id=self.task_id(series), chunk_id=uuid4(), generation=0,
            release=1, part=0, last_part=True, candles=1, slots_explained=1, quarantined=0,
            start=self.window[0], end=self.window[1], stored_at=NOW,
        )  # fmt: skip

    def fill(self, *ranges: tuple[int, int], series: Series = BTC) -> Event:
        """The command that makes this job a repair of these gaps."""
        gaps = [
            GapToFill(
                gap_id=uuid4(), symbol=series.symbol, timeframe=series.timeframe, start=at(start),
                end=at(end),
            )
            for start, end in ranges
        ]  # fmt: skip
        return FillGapsV1(
            job_id=self.job_id, exchange=series.exchange, gaps=gaps, submitted_by="t",
            submitted_at=NOW,
        )  # fmt: skip


class Desk:
    """One gap auditor over the log in memory."""

    def __init__(self, pool: Pool, log: MemoryLog, clock: ManualClock, slots: Slots) -> None:
        self.pool, self.log, self.clock = pool, log, clock
        self._read: dict[Partition, int] = {}
        self.publisher = Publisher(
            _Producer(log), source="t", clock=clock, topic_prefix="candlelog."
        )
        self.transactions = Transactions(pool, self.publisher)
        self.audits = Audits(self.transactions, slots, clock)
        self.repairs = Repairs(self.transactions, clock)
        self.rereads = Rereads(self.transactions, clock)
        self.relay = Relay(pool, self.publisher)

    async def resume(self) -> None:
        await resume(self.transactions, self.clock)
        await self.relay.step()

    async def hear(self, *events: Message) -> None:
        """Others publish, and the auditor reads and says what it has to say."""
        await self.publisher.publish(*events)
        await self.work()

    async def work(self) -> None:
        for topic, handle in (("jobs.commands", self.repairs), ("progress", self.audits)):
            received = self._unread(topic)
            if received:
                await handle(received)
                for one in received:
                    self._read[one.record.partition] = one.record.offset + 1
        while await self.relay.step():
            pass

    async def wait(self, **time: float) -> None:
        """Time passes, and what is due is asked for."""
        self.clock.advance(timedelta(**time).total_seconds())
        await self.rereads.step()
        await self.work()

    def read_again_from_the_start(self) -> None:
        self._read.clear()

    def _unread(self, topic: str) -> list[Received]:
        return [
            receive(record)
            for record in self.log.records(f"candlelog.{topic}")
            if record.offset >= self._read.get(record.partition, 0)
        ]

    def said(self, kind: type[EventT]) -> list[EventT]:
        return [event for event in self._events(kind.topic) if isinstance(event, kind)]

    def of_gaps(self) -> list[GapEvent]:
        return [event for event in self._events("gaps") if isinstance(event, GapEvent)]

    def told(self) -> list[tuple[int, int, str]]:
        """Start, end and state of every gap event, in the order of the log."""
        return [(place(e.start), place(e.end), e.state) for e in self.of_gaps()]

    def _events(self, topic: str) -> list[Message]:
        return [receive(record).event for record in self.log.records(f"candlelog.{topic}")]

    async def open_gaps(self) -> list[tuple[int, int, str]]:
        rows = await self.pool.fetch(
            "SELECT start_time, end_time, state FROM gaps WHERE open ORDER BY symbol, start_time"
        )
        return [(place(row[0]), place(row[1]), row[2]) for row in rows]


class Engine:
    """Slots of the real engine, taught as those in memory are: by what a venue answered."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self.clickhouse = clickhouse
        self.slots = ClickHouseSlots(clickhouse, SystemClock())
        self._held: dict[str, list[dict[str, Any]]] | None = None

    @asynccontextmanager
    async def at_once(self) -> AsyncGenerator[None]:
        """What is learned inside is written at the end, with one insert for each table."""
        held = self._held = {}
        yield
        self._held = None
        for table, rows in held.items():
            await self._insert(table, rows)

    async def learn(self, series: Series, window: TimeRange, state: SlotState) -> None:
        """The window was answered long after: with a candle for each slot, or with none."""
        await self._insert("coverage", [self._asked(series, window)])
        if state is SlotState.PRESENT:
            prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0)
            common = self._names(series) | prices | {"source": "rest", "observed_at": NOW}
            await self._insert("candles", [common | {"open_time": time} for time in _times(window)])

    async def refuse(self, series: Series, window: TimeRange) -> None:
        """The window was answered with rows that were refused."""
        asked = self._asked(series, window)
        await self._insert("coverage", [asked])
        kept = {key: asked[key] for key in asked if key not in {"start", "end", "outcome"}}
        await self._insert(
            "quarantine",
            [
                kept | {"open_time": time, "raw": f"[{time}]", "reason": "not_positive"}
                for time in _times(window)
            ],
        )

    def _asked(self, series: Series, window: TimeRange) -> dict[str, Any]:
        ids = {"job_id": str(uuid4()), "chunk_id": str(uuid4())}
        asked = {"start": window.start, "end": window.end, "observed_at": NOW}
        return self._names(series) | ids | asked | {"source": "rest", "outcome": "candles"}

    def _names(self, series: Series) -> dict[str, Any]:
        return {
            "exchange": series.exchange,
            "symbol": series.symbol,
            "timeframe": series.timeframe,
        }

    async def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        if self._held is not None:
            self._held.setdefault(table, []).extend(rows)
            return
        kinds = {datetime: pa.timestamp("ms", tz="UTC"), float: pa.float64(), str: pa.string()}
        schema = pa.schema([(name, kinds[type(value)]) for name, value in rows[0].items()])
        await self.clickhouse.insert_arrow(table, pa.Table.from_pylist(rows, schema))


def _times(window: TimeRange) -> list[datetime]:
    return [at(slot) for slot in range(place(window.start), place(window.end))]


class _Producer:
    """Opens a producer of the log for each call, as no context lives as long as a test does."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def send(self, messages: Sequence[object]) -> Sequence[int]:
        async with self._log.producer() as producer:
            return await producer.send(messages)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
async def postgres_template(postgres_server_dsn: str) -> AsyncGenerator[str]:
    async with template_of(postgres_server_dsn, "gap-auditor", schema="auditor") as name:
        yield name


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncGenerator[Pool]:
    async with connect(postgres_dsn, schema="auditor", max_size=4) as opened:
        yield opened


@pytest.fixture(scope="module")
def clickhouse_url(clickhouse_server_url: str) -> str:
    """The URL of a database of this module alone."""
    return clickhouse_database_url(clickhouse_server_url, "auditor")


@pytest.fixture(scope="module")
async def clickhouse(clickhouse_url: str) -> AsyncGenerator[ClickHouse]:
    async with clickhouse_database(clickhouse_url) as store:
        yield store


@pytest.fixture
async def engine(clickhouse: ClickHouse) -> Engine:
    """The engine, which knows nothing yet."""
    await empty(clickhouse)
    return Engine(clickhouse)


@pytest.fixture
def slots() -> MemorySlots:
    return MemorySlots()


@pytest.fixture
def desk_over(pool: Pool):
    """Makes auditors over slots, on one Postgres; each with a log of its own."""
    clock = ManualClock(NOW)
    return lambda slots: Desk(pool, MemoryLog(clock=clock), clock, slots)


@pytest.fixture
def desk(desk_over, slots: MemorySlots) -> Desk:
    return desk_over(slots)


@pytest.fixture
def job() -> type[Job]:
    return Job


@pytest.fixture
def in_minutes():
    return minutes
