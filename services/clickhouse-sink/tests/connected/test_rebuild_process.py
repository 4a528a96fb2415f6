"""Candles are rebuilt by sinks as processes, on a real broker and engine, and switched to."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from tests.databases import clickhouse_database_url
from tests.topics import topics_under

from candlelog.clock import SystemClock
from candlelog.events.progress import BatchStoredV1
from candlelog.events.rebuild import (
    PartRebuiltV1,
    RebuildRequestedV1,
    ShadowChangedV1,
    ShadowRequestedV1,
)
from candlelog.events.topics import CANDLES
from candlelog.log.kafka import KafkaLog
from candlelog.log.partitioner import key_into
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition
from candlelog.market.comparison import Comparison
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.shadow import SHADOW, compare

pytestmark = pytest.mark.connected

JOB = uuid4()
DAMAGED = "DAMAGED/USDT"
NAMES = [*(f"S{number}/USDT" for number in range(9)), DAMAGED]
SLOTS = 23
"""Of each series of the history."""
LATE = [f"S{number}/USDT" for number in range(12)]
"""Series of which a batch comes while candles are rebuilt; three of them are new."""
LATE_CLOSES = 9 * (8.0 - 1.0) + 3 * 8.0
"""By how much the batches that come late raise the sum of what was there."""
CLOSES = "SELECT sum(close) FROM candles_latest"
TABLES = {
    "candles": "*", "candle_revisions": "*",
    "coverage": "exchange, symbol, timeframe, start, end, outcome, chunk_id, observed_at",
}  # fmt: skip


Rows = dict[str, list[tuple[Any, ...]]]


class World:
    """Sinks, and whoever tells them what to do: the test."""

    number = 16
    """Of the latest shadow."""
    kept: dict[Partition, int]
    """Where each partition ended when the history was stored."""

    def __init__(self, bootstrap: str, url: str, prefix: str, publisher: Publisher) -> None:
        self.log, self.publisher = KafkaLog(bootstrap), publisher
        self.store = ClickHouse(url)
        self.prefix = prefix
        self.shadow = self.store.database + SHADOW
        self._environment = os.environ | {
            "CANDLELOG_KAFKA_BOOTSTRAP": bootstrap,
            "CANDLELOG_CLICKHOUSE_URL": url,
            "CANDLELOG_TOPIC_PREFIX": prefix,
        }

    @asynccontextmanager
    async def sink(self):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clickhouse_sink", env=self._environment
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()

    @asynccontextmanager
    async def hearing(self, kind, enough):
        """Hears progress from now on; the block ends when it was enough."""
        async with self.log.tail([f"{self.prefix}progress"], start="end") as tail:
            yield
            found: list[object] = []
            async with asyncio.timeout(240):
                while not enough(found):
                    records = await tail.poll(max_records=1000, timeout=0.2)
                    events = (receive(record).event for record in records)
                    found += [event for event in events if isinstance(event, kind)]

    async def keep(self, *batches) -> None:
        """Publish batches, and wait until all are stored."""
        chunks = {batch.header.chunk_id for batch in batches}
        async with self.hearing(
            BatchStoredV1, lambda found: chunks <= {event.chunk_id for event in found}
        ):
            await self.publisher.publish(*batches)

    @asynccontextmanager
    async def beside(self):
        """A shadow beside the live tables, with a number that none had; in the end it is closed."""
        self.number += 1
        await self.step("open")
        try:
            yield
        finally:
            await self.step("close")

    async def step(self, name: str) -> None:
        """Have a step done."""
        asked = ShadowRequestedV1(job_id=JOB, number=self.number, step=name, correlation_id=uuid4())
        async with self.hearing(
            ShadowChangedV1,
            lambda found: asked.correlation_id in {event.correlation_id for event in found},
        ):
            await self.publisher.publish(asked)

    async def ask(self, origin: str) -> None:
        """Have every partition rebuilt."""
        await self.publisher.publish(
            *(
                RebuildRequestedV1(
                    job_id=JOB,
                    number=self.number,
                    origin=origin,
                    partition=number,
                    routing=key_into(number, CANDLES.partitions),
                )
                for number in range(CANDLES.partitions)
            )
        )

    def through(self, origin: str):
        """Hears progress until every partition is through."""
        return self.hearing(
            PartRebuiltV1,
            lambda found: (
                len({e.partition for e in found if e.origin == origin and e.through})
                == CANDLES.partitions
            ),
        )

    async def rebuild(self) -> None:
        """Fill the shadow, from both origins."""
        for origin in ("log", "store"):
            async with self.through(origin):
                await self.ask(origin)

    async def ends(self) -> dict[Partition, int]:
        """Where the partitions of candles end."""
        async with self.log.tail([f"{self.prefix}candles"], start="end") as tail:
            return dict(await tail.end())

    async def forget(self, bootstrap: str) -> None:
        """Have the broker delete the first records of each partition, as retention would: half of
        those that were there with the history."""
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.delete_records(
                {
                    TopicPartition(*partition): RecordsToDelete(before_offset=end // 2)
                    for partition, end in self.kept.items()
                    if end > 1
                }
            )
        finally:
            await admin.close()

    async def closes(self) -> float:
        """The sum of every close that a reader sees."""
        ((found,),) = await self.store.query(CLOSES)
        return found

    async def rows(self, database: str) -> Rows:
        """What a reader sees of each table of a database."""
        return {
            table: sorted(
                await self.store.query(f"SELECT {columns} FROM {database}.{table} FINAL"), key=str
            )
            for table, columns in TABLES.items()
        }

    async def both(self) -> tuple[Rows, Rows]:
        """The rows of the live tables, and those of the shadow."""
        return await self.rows(self.store.database), await self.rows(self.shadow)


@asynccontextmanager
async def world_of(bootstrap: str, server_url: str):
    """A world with topics and a database of its own, without a sink."""
    url = clickhouse_database_url(server_url, "rebuild")
    name = url.rpartition("/")[2]
    async with topics_under(bootstrap, f"{name}."), KafkaLog(bootstrap).producer() as producer:
        publisher = Publisher(producer, source="test", clock=SystemClock(), topic_prefix=f"{name}.")
        made = World(bootstrap, url, f"{name}.", publisher)
        await made.store.ensure_database()
        yield made
        await made.store.command(f"DROP DATABASE IF EXISTS {made.shadow} SYNC")
        await made.store.command(f"DROP DATABASE {name} SYNC")
        await made.store.close()


@pytest.fixture
async def empty_world(kafka_bootstrap, clickhouse_server_url):
    """A world of this test alone."""
    async with world_of(kafka_bootstrap, clickhouse_server_url) as made:
        yield made


@pytest.fixture(scope="module")
async def world(kafka_bootstrap, clickhouse_server_url, batch_of):
    """One sink that has stored the history. Of the tests that share it each leaves the live tables
    with what the batches say, and no shadow."""
    async with world_of(kafka_bootstrap, clickhouse_server_url) as made, made.sink():
        await made.keep(*history(batch_of))
        made.kept = await made.ends()
        yield made


def history(batch_of):
    """Batches of several series: restated, told twice, late, and of rows that were refused."""
    refused = {"raw": "[]", "reason": "malformed"}
    for number, name in enumerate(NAMES):
        first = batch_of([1.0, 2.0, 3.0], symbol=name, observed=1, quarantined=[refused])
        yield first
        yield batch_of([1.0, 2.5, None], symbol=name, start=0, observed=4)
        yield first
        yield batch_of([9.0, 2.0], symbol=name, start=1, observed=2)
        yield batch_of([7.0 + number] * 20, symbol=name, start=30, observed=2)


@dataclass
class Course:
    """What was seen in the course of one rebuild: closes by the moment, tables as live and shadow.

    The live candles of one series were damaged before, by hand: each close of 20 slots is doubled.
    """

    sound: Rows
    """The live tables before the damage."""
    closes: dict[str, float] = field(default_factory=dict)
    from_log: tuple[Rows, Rows] = field(init=False)
    """After the topic was read, and batches came meanwhile."""
    from_both: tuple[Rows, Rows] = field(init=False)
    compared: Comparison = field(init=False)
    reads: list[tuple[int, int]] = field(default_factory=list)
    """While tables were exchanged: how many candles had been said to be stored, and were found."""
    exchanged: tuple[Rows, Rows] = field(init=False)

    def undamaged(self, live: Rows) -> Rows:
        """The live tables, had nobody damaged them. No batch of that series has come since."""
        others = [row for row in live["candles"] if row[1] != DAMAGED]
        mine = [row for row in self.sound["candles"] if row[1] == DAMAGED]
        return live | {"candles": sorted([*others, *mine], key=str)}


@pytest.fixture(scope="module")
async def course(world, batch_of) -> Course:
    """Damaged candles are rebuilt, exchanged to and fro, and the damaged ones dropped."""
    course = Course(await world.rows(world.store.database))
    closes = course.closes
    closes["sound"] = await world.closes()
    await world.store.command(
        "INSERT INTO candles SELECT * REPLACE (close * 2 AS close) FROM candles FINAL"
        " WHERE symbol = {symbol:String} AND open = 16",
        symbol=DAMAGED,
    )
    closes["damaged"] = await world.closes()
    async with world.beside():
        async with world.through("log"):
            await world.ask("log")
            await world.keep(*(batch_of([8.0], symbol=name, observed=9) for name in LATE))
        course.from_log = await world.both()
        async with world.through("store"):
            await world.ask("store")
        course.from_both = await world.both()
        course.compared = await compare(world.store)
        closes["rebuilt"] = await world.closes()
        await world.step("switch")
        closes["switched"] = await world.closes()
        await world.step("switch_back")
        closes["switched back"] = await world.closes()
        course.reads = await reads_while_exchanged(world, batch_of)
        course.exchanged = await world.both()
        await world.step("switch")
    await world.keep(batch_of([5.0], symbol=DAMAGED, start=90))
    closes["closed"] = await world.closes()
    return course


async def reads_while_exchanged(world, batch_of) -> list[tuple[int, int]]:
    """Each batch is looked for as soon as it is said to be stored, and from then on."""
    seen: list[tuple[int, int]] = []
    stored = 10 * SLOTS + 3
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            expected = stored
            ((found,),) = await world.store.query("SELECT count() FROM candles_latest")
            seen.append((expected, found))

    reader = asyncio.create_task(read())
    for turn, name in enumerate(("switch", "switch_back") * 5):
        batch = batch_of([1.0] * 10, symbol=f"S{turn % 9}/USDT", start=100 + 10 * turn)
        async with asyncio.TaskGroup() as group:
            group.create_task(world.step(name))
            group.create_task(world.keep(batch))
        stored += 10
    done.set()
    await reader
    return seen


async def test_what_is_rebuilt_equals_what_is_live(course):
    live, shadow = course.from_both
    assert shadow == course.undamaged(live)
    assert len(live["candles"]) == 10 * SLOTS + 3
    assert len(live["candle_revisions"]) > 10
    compared = course.compared
    assert (compared.series, compared.equal) == (10 + 3, 10 * SLOTS + 3 - 20)


async def test_a_batch_that_comes_while_candles_are_rebuilt_is_in_both(course):
    live, shadow = course.from_log
    assert {row[1] for row in live["candles"] if row[4] == 8.0} >= set(LATE)
    assert shadow == course.undamaged(live)


async def test_a_value_damaged_by_hand_is_found(course):
    (found,) = course.compared.differences
    assert (found.series.symbol, found.changed, found.slots) == (DAMAGED, 20, 20)
    assert found.largest["close"] == pytest.approx(0.5)
    assert found.largest["open"] == 0


async def test_a_value_damaged_by_hand_is_gone_after_the_switch_alone(course):
    sound, damaged = course.closes["sound"], course.closes["damaged"]
    assert damaged == sound + 20 * 16.0
    assert course.closes == {
        "sound": sound,
        "damaged": damaged,
        "rebuilt": damaged + LATE_CLOSES,
        "switched": sound + LATE_CLOSES,
        "switched back": damaged + LATE_CLOSES,
        "closed": sound + LATE_CLOSES + 10 * 10 * 1.0 + 5.0,
    }


async def test_a_reader_sees_every_candle_while_tables_are_exchanged(course):
    assert all(found >= expected for expected, found in course.reads)
    assert len(course.reads) > 20


async def test_what_comes_while_tables_are_exchanged_is_in_both(course):
    live, shadow = course.exchanged
    assert len(live["candles"]) == 10 * SLOTS + 3 + 10 * 10
    assert shadow == course.undamaged(live)


@pytest.mark.usefixtures("course")  # first, since its rebuild is one of a topic that is whole
async def test_a_topic_that_has_lost_its_beginning_is_made_up_for_by_the_live_tables(
    world, batch_of, kafka_bootstrap
):
    held = len((await world.rows(world.store.database))["candles"])
    await world.forget(kafka_bootstrap)
    async with world.beside():
        await world.rebuild()
        await world.keep(batch_of([8.5], symbol="S0/USDT", observed=10))
        compared = await compare(world.store)
        assert (compared.series, compared.equal, compared.differences) == (13, held, [])
        live, shadow = await world.both()
    assert [row for row in live["candles"] if row[4] == 8.5]
    assert shadow["coverage"] == live["coverage"]


async def test_what_the_topic_no_longer_holds_is_taken_from_the_live_tables(world):
    changed = "ALTER TABLE candles UPDATE trades = {} WHERE true SETTINGS mutations_sync = 2"
    await world.store.command(changed.format(1))
    try:
        async with world.beside():
            async with world.through("store"):
                await world.ask("store")
            compared = await compare(world.store)
            live, shadow = await world.both()
    finally:
        await world.store.command(changed.format(7))
    assert compared.differences == []
    assert shadow["coverage"] == live["coverage"]
    assert {row[10] for row in shadow["candles"]} == {1}


async def test_sinks_that_are_killed_while_they_rebuild_leave_the_shadow_whole(
    empty_world, batch_of
):
    world = empty_world
    batches = [
        batch_of([float(n + 1)] * 4, symbol=f"S{n % 3}/USDT", start=4 * n, observed=n)
        for n in range(900)
    ]
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(world.sink()) for _ in range(2)]
        await world.keep(*batches)
        await world.step("open")
        async with world.through("log"):
            async with world.hearing(PartRebuiltV1, lambda found: any(e.rows for e in found)):
                await world.ask("log")
            first.kill()
            second.kill()
            await stack.enter_async_context(world.sink())
        live, shadow = await world.both()
    assert shadow == live
