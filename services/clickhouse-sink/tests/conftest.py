"""What the tests of the sink are told in: small batches of one-minute candles."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pyarrow as pa
import pytest
from tests.databases import clickhouse_database, clickhouse_database_url, empty

from candlelog.clock import ManualClock
from candlelog.events.candles import (
    CANDLE_SCHEMA,
    CandleBatchHeaderV1,
    CandleBatchV1,
    QuarantinedRow,
)
from candlelog.events.topics import CANDLES
from candlelog.log.memory import MemoryLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition, Received, Record
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.shadow import SHADOW
from clickhouse_sink.adapters.clickhouse import ClickHouseTables
from clickhouse_sink.adapters.sets import ClickHouseSets
from clickhouse_sink.domain.sets import MARKED
from clickhouse_sink.handlers.batches import StoreBatches
from clickhouse_sink.handlers.turns import Turns
from clickhouse_sink.handlers.watermarks import Watermarks
from clickhouse_sink.ports import Tables

EPOCH = datetime(2024, 2, 1, tzinfo=UTC)
JOB = UUID("11111111-1111-4111-8111-111111111111")
NOW = datetime(2024, 3, 1, tzinfo=UTC)

MakeBatch = Callable[..., CandleBatchV1]


def make_batch(
    closes: Sequence[float | None],
    *,
    symbol: str = "BTC/USDT",
    start: int = 0,
    observed: int = 0,
    quarantined: Sequence[QuarantinedRow] = (),
    **changes: object,
) -> CandleBatchV1:
    """A batch of the minutes from `start` on: a close (None: no candle) for each slot, read
    `observed` minutes after noon."""
    times = [EPOCH + timedelta(minutes=start + index) for index in range(len(closes))]
    rows = [
        dict(zip(CANDLE_SCHEMA.names, (time, *[close] * 4, 2.0, 3.0, 7), strict=True))
        for time, close in zip(times, closes, strict=True)
        if close is not None
    ]
    fields = {
        "job_id": JOB,
        "task_id": uuid5(JOB, symbol),
        "chunk_id": uuid5(JOB, f"{symbol}|{start}|{observed}"),
        "generation": 0,
        "release": 1,
        "exchange": "binance",
        "symbol": symbol,
        "timeframe": "1m",
        "start": EPOCH + timedelta(minutes=start),
        "end": EPOCH + timedelta(minutes=start + len(closes)),
        "slots": len(closes),
        "answer": "candles" if rows or quarantined else "empty",
        "observed_at": EPOCH + timedelta(hours=12, minutes=observed),
        "quarantined": tuple(quarantined),
    } | changes
    header = CandleBatchHeaderV1.model_validate(fields)
    return CandleBatchV1(header, pa.RecordBatch.from_pylist(rows, schema=CANDLE_SCHEMA))


class OneSet:
    """No more than one set of tables."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    async def current(self) -> Sequence[Tables]:
        """These tables."""
        return [self.tables]


class Bench:
    """A handler over some tables, with the log in memory."""

    def __init__(self, tables: Tables, *, max_rows: int = 200_000) -> None:
        self.log = MemoryLog()
        self.sets = OneSet(tables)
        self.max_rows = max_rows

    async def store(self, *events: CandleBatchV1, first_offset: int = 0):
        """Hand the events to a new handler, as a sink that has just started would."""
        async with self.handler() as (handler, publisher):
            return await handler(received(publisher, events, first_offset))

    async def store_two_at_a_time(self, *flushes: Sequence[CandleBatchV1]) -> None:
        """Hand flush after flush to one handler, of which two are in hand, as a sink does."""
        room = asyncio.Semaphore(2)
        async with self.handler() as (handler, publisher), asyncio.TaskGroup() as group:

            async def store(flush: Sequence[CandleBatchV1]) -> None:
                await handler(received(publisher, flush, 0))
                room.release()

            for flush in flushes:
                await room.acquire()
                group.create_task(store(flush))

    @asynccontextmanager
    async def handler(self) -> AsyncGenerator[tuple[StoreBatches, Publisher]]:
        """A new handler."""
        async with self.log.producer() as producer:
            clock = ManualClock(NOW)
            publisher = Publisher(
                producer, source="clickhouse-sink", clock=clock, topic_prefix="candlelog."
            )
            yield (
                StoreBatches(
                    self.sets,
                    publisher,
                    Watermarks(CANDLES),
                    clock=clock,
                    max_rows=self.max_rows,
                    turns=Turns(),
                ),
                publisher,
            )

    def said(self, name: str) -> list[object]:
        """Events on a topic so far."""
        return [receive(record).event for record in self.log.records(f"candlelog.{name}")]


def received(
    publisher: Publisher, events: Sequence[CandleBatchV1], first_offset: int
) -> list[Received]:
    """The events as they come from partition 3 of the log."""
    partition = Partition("candlelog.candles", 3)
    outgoing = [publisher.outgoing(event) for event in events]
    return [
        receive(Record(partition, first_offset + index, item.key, item.value, item.headers, NOW))
        for index, item in enumerate(outgoing)
    ]


@pytest.fixture(scope="session")
def now() -> datetime:
    """When the tests take place."""
    return NOW


@pytest.fixture(scope="session")
def batch_of() -> MakeBatch:
    """Makes small batches."""
    return make_batch


@pytest.fixture(scope="session")
def bench_over() -> Callable[..., Bench]:
    """Puts a handler over tables."""
    return Bench


@pytest.fixture(scope="session")
def migrated_url(clickhouse_server_url: str) -> str:
    """The URL of `migrated`."""
    return clickhouse_database_url(clickhouse_server_url, "sink")


@pytest.fixture(scope="session")
async def migrated(migrated_url: str) -> AsyncGenerator[ClickHouse]:
    """One migrated database for many tests."""
    async with clickhouse_database(migrated_url) as store:
        yield store


@pytest.fixture
async def clickhouse(migrated: ClickHouse) -> ClickHouse:
    """The migrated database, without a row."""
    await empty(migrated)
    return migrated


@pytest.fixture
def clickhouse_tables(clickhouse: ClickHouse) -> ClickHouseTables:
    """The tables of that database."""
    return ClickHouseTables(clickhouse)


@pytest.fixture(scope="session")
async def beside_migrated(migrated_url: str) -> AsyncGenerator[ClickHouse]:
    """Where a shadow of the tables of that database would lie."""
    store = ClickHouse(migrated_url + SHADOW)
    yield store
    await store.close()


@pytest.fixture
async def clickhouse_sets(
    clickhouse: ClickHouse, beside_migrated: ClickHouse
) -> AsyncGenerator[ClickHouseSets]:
    """The sets of that database. What a test exchanges is made anew for the next one."""
    definitions = await clickhouse.query(
        "SELECT create_table_query FROM system.tables"
        " WHERE database = currentDatabase() AND name IN {names:Array(String)}",
        names=list(MARKED),
    )
    yield ClickHouseSets(clickhouse, beside_migrated)
    await clickhouse.command(f"DROP DATABASE IF EXISTS {beside_migrated.database} SYNC")
    for (definition,) in definitions:
        await clickhouse.command(definition.replace("CREATE TABLE", "CREATE OR REPLACE TABLE", 1))
