"""Candles are rebuilt by sinks as processes, on a real broker and engine, and switched to."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

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
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.shadow import SHADOW, compare

pytestmark = pytest.mark.connected

JOB = uuid4()
NUMBER = 17
TABLES = {
    "candles": "*", "candle_revisions": "*",
    "coverage": "exchange, symbol, timeframe, start, end, outcome, chunk_id, observed_at",
}  # fmt: skip


class World:
    """Sinks, and whoever tells them what to do: the test."""

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

    async def step(self, name: str) -> None:
        """Have a step done."""
        asked = ShadowRequestedV1(job_id=JOB, number=NUMBER, step=name, correlation_id=uuid4())
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
                    number=NUMBER,
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
        """The whole rebuild."""
        await self.step("open")
        for origin in ("log", "store"):
            async with self.through(origin):
                await self.ask(origin)

    async def forget(self, bootstrap: str) -> None:
        """Have the broker delete the first records of each partition, as retention would."""
        topic = f"{self.prefix}candles"
        async with self.log.tail([topic], start="end") as tail:
            ends = await tail.end()
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.delete_records(
                {
                    TopicPartition(*partition): RecordsToDelete(before_offset=end // 2)
                    for partition, end in ends.items()
                    if end > 1
                }
            )
        finally:
            await admin.close()

    async def rows(self, database: str):
        """What a reader sees of each table of a database."""
        return {
            table: sorted(
                await self.store.query(f"SELECT {columns} FROM {database}.{table} FINAL"), key=str
            )
            for table, columns in TABLES.items()
        }


@pytest.fixture
async def world(kafka_bootstrap, topics, clickhouse_url):
    log = KafkaLog(kafka_bootstrap)
    async with log.producer() as producer:
        publisher = Publisher(producer, source="test", clock=SystemClock(), topic_prefix=topics)
        made = World(kafka_bootstrap, clickhouse_url, topics, publisher)
        yield made
        await made.store.command(f"DROP DATABASE IF EXISTS {made.shadow} SYNC")
        await made.store.close()


def history(batch_of, symbols: int = 9):
    """Batches of several series: restated, told twice, late, and of rows that were refused."""
    refused = {"raw": "[]", "reason": "malformed"}
    for number in range(symbols):
        name = f"S{number}/USDT"
        first = batch_of([1.0, 2.0, 3.0], symbol=name, observed=1, quarantined=[refused])
        yield first
        yield batch_of([1.0, 2.5, None], symbol=name, start=0, observed=4)
        yield first
        yield batch_of([9.0, 2.0], symbol=name, start=1, observed=2)
        yield batch_of([7.0 + number] * 20, symbol=name, start=30, observed=2)


async def test_what_is_rebuilt_equals_what_is_live(world, batch_of):
    async with world.sink():
        await world.keep(*history(batch_of))
        await world.rebuild()
        live, shadow = await world.rows(world.store.database), await world.rows(world.shadow)
    assert shadow == live
    assert len(live["candles"]) == 9 * 23
    assert len(live["candle_revisions"]) > 9
    compared = await compare(world.store)
    assert (compared.series, compared.equal, compared.differences) == (9, 9 * 23, [])


async def test_a_value_damaged_by_hand_is_found_and_gone_after_the_switch(world, batch_of):
    damage = "INSERT INTO candles SELECT * REPLACE (close * 2 AS close) FROM candles FINAL WHERE {}"
    closes = "SELECT sum(close) FROM candles_latest"
    async with world.sink():
        await world.keep(*history(batch_of))
        sound = await world.store.query(closes)
        await world.store.command(damage.format("symbol = 'S3/USDT' AND open = 10"))
        damaged = await world.store.query(closes)
        await world.rebuild()
        (found,) = (await compare(world.store)).differences
        assert (found.series.symbol, found.changed, found.slots) == ("S3/USDT", 20, 20)
        assert found.largest["close"] == pytest.approx(0.5)
        assert found.largest["open"] == 0
        assert await world.store.query(closes) == damaged
        await world.step("switch")
        assert await world.store.query(closes) == sound
        await world.step("switch_back")
        assert await world.store.query(closes) == damaged
        await world.step("switch")
        await world.step("close")
        await world.keep(batch_of([5.0], symbol="S3/USDT", start=90))
    assert await world.store.query(closes) == [(sound[0][0] + 5.0,)]


async def test_what_the_topic_no_longer_holds_is_taken_from_the_live_tables(world, batch_of):
    async with world.sink():
        await world.keep(*history(batch_of))
        await world.store.command(
            "ALTER TABLE candles UPDATE trades = 1 WHERE true SETTINGS mutations_sync = 2"
        )
        await world.step("open")
        async with world.through("store"):
            await world.ask("store")
        assert (await compare(world.store)).differences == []
        rows = await world.rows(world.shadow)
        assert rows["coverage"] == (await world.rows(world.store.database))["coverage"]
    assert {row[10] for row in rows["candles"]} == {1}


async def test_a_topic_that_has_lost_its_beginning_is_made_up_for_by_the_live_tables(
    world, batch_of, kafka_bootstrap
):
    async with world.sink():
        await world.keep(*history(batch_of))
        await world.forget(kafka_bootstrap)
        await world.rebuild()
        await world.keep(batch_of([8.0], symbol="S0/USDT", observed=9))
    compared = await compare(world.store)
    assert (compared.series, compared.equal, compared.differences) == (9, 9 * 23, [])
    live, shadow = await world.rows(world.store.database), await world.rows(world.shadow)
    assert shadow["coverage"] == live["coverage"]


async def test_a_batch_that_comes_while_candles_are_rebuilt_is_in_both(world, batch_of):
    async with world.sink():
        await world.keep(*history(batch_of))
        await world.step("open")
        async with world.through("log"):
            await world.ask("log")
            await world.keep(*(batch_of([8.0], symbol=f"S{n}/USDT", observed=9) for n in range(12)))
        live, shadow = await world.rows(world.store.database), await world.rows(world.shadow)
    assert [row for row in live["candles"] if row[4] == 8.0]
    assert shadow == live


async def test_sinks_that_are_killed_while_they_rebuild_leave_the_shadow_whole(world, batch_of):
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
        live, shadow = await world.rows(world.store.database), await world.rows(world.shadow)
    assert shadow == live


async def test_a_reader_sees_every_candle_while_tables_are_exchanged(world, batch_of):
    """Each batch is looked for as soon as it is said to be stored, and from then on."""
    seen: list[tuple[int, int]] = []
    stored = 0
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            expected = stored
            ((found,),) = await world.store.query("SELECT count() FROM candles_latest")
            seen.append((expected, found))

    async with world.sink():
        await world.keep(*history(batch_of))
        await world.rebuild()
        stored = 9 * 23
        reader = asyncio.create_task(read())
        for turn, name in enumerate(("switch", "switch_back") * 5):
            batch = batch_of([1.0] * 10, symbol=f"S{turn % 9}/USDT", start=100 + 10 * turn)
            async with asyncio.TaskGroup() as group:
                group.create_task(world.step(name))
                group.create_task(world.keep(batch))
            stored += 10
        done.set()
        await reader
        live, shadow = await world.rows(world.store.database), await world.rows(world.shadow)
    assert all(found >= expected for expected, found in seen)
    assert len(seen) > 20
    assert shadow == live
