"""The sink as a process: from the topic to the tables and back to the topics."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from itertools import dropwhile

import pytest

from candlelog.clock import SystemClock
from candlelog.events.progress import BatchStoredV1
from candlelog.events.sink import SinkWatermarkV1
from candlelog.log.kafka import KafkaLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.stores.clickhouse import ClickHouse

pytestmark = pytest.mark.connected


@asynccontextmanager
async def sink(bootstrap: str, url: str, prefix: str):
    environment = {
        "CANDLELOG_KAFKA_BOOTSTRAP": bootstrap,
        "CANDLELOG_CLICKHOUSE_URL": url,
        "CANDLELOG_TOPIC_PREFIX": prefix,
        "CLICKHOUSE_SINK_WATERMARK_SECONDS": "0.3",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clickhouse_sink", env=os.environ | environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def collect(log: KafkaLog, topic: str, enough) -> list[object]:
    found: list[object] = []
    async with log.tail([topic], start="beginning") as tail, asyncio.timeout(240):
        while not enough(found):
            records = await tail.poll(max_records=1000, timeout=0.2)
            found += [receive(record).event for record in records]
    return found


async def publish(log: KafkaLog, prefix: str, *events) -> None:
    async with log.producer() as producer:
        publisher = Publisher(producer, source="test", clock=SystemClock(), topic_prefix=prefix)
        await publisher.publish(*events)


async def test_batches_of_the_topic_become_readable_rows_and_news(
    kafka_bootstrap, topics, clickhouse_url, batch_of
):
    log = KafkaLog(kafka_bootstrap)
    good = [batch_of([1.0, 2.0], symbol=f"S{number}/USDT") for number in range(20)]
    bad = batch_of([1.0], slots=0)
    await publish(log, topics, *good[:10], bad, *good[10:])
    async with sink(kafka_bootstrap, clickhouse_url, topics) as process:
        stored = await collect(
            log,
            f"{topics}progress",
            lambda found: sum(isinstance(event, BatchStoredV1) for event in found) >= 20,
        )
        watermarks = await collect(log, f"{topics}sink.watermarks", lambda found: len(found) >= 20)
        letters = await collect(log, f"{topics}dead-letters", lambda found: found)
    assert process.returncode == 0
    assert {event.chunk_id for event in stored if isinstance(event, BatchStoredV1)} == {
        event.header.chunk_id for event in good
    }
    assert all(isinstance(event, SinkWatermarkV1) for event in watermarks)
    assert [letter.header.chunk_id for letter in letters] == [bad.header.chunk_id]
    store = ClickHouse(clickhouse_url)
    assert await store.query("SELECT count(), sum(close) FROM candles_latest") == [(40, 60.0)]
    assert await store.query("SELECT count() FROM coverage FINAL") == [(20,)]
    await store.close()


@pytest.fixture
def events(batch_of):
    """Seventy readings of the same fifty slots of seven series, each with another value."""
    return [
        batch_of([float(number + 1)] * 50, symbol=f"S{number % 7}/USDT", observed=number)
        for number in range(70)
    ]


async def collect_all(log: KafkaLog, prefix: str, events) -> None:
    chunks = {event.header.chunk_id for event in events}
    await collect(
        log, f"{prefix}progress", lambda found: chunks <= {event.chunk_id for event in found}
    )


async def check_tables(url: str) -> None:
    """The tables hold what one sink that read the events in order would have left."""
    store = ClickHouse(url)
    assert await store.query("SELECT count(), min(close) FROM candles_latest") == [(350, 64.0)]
    revisions = await store.query("SELECT count(), max(close) FROM candle_revisions FINAL")
    assert revisions == [(3150, 63.0)]
    assert await store.query("SELECT count() FROM coverage FINAL") == [(70,)]
    await store.close()


async def test_a_killed_sink_goes_on_where_it_was(kafka_bootstrap, topics, clickhouse_url, events):
    log = KafkaLog(kafka_bootstrap)
    async with sink(kafka_bootstrap, clickhouse_url, topics) as first:
        await publish(log, topics, *events[:35])
        await collect(log, f"{topics}progress", lambda found: found)
        first.kill()
    await publish(log, topics, *events[35:])
    async with sink(kafka_bootstrap, clickhouse_url, topics):
        await collect_all(log, topics, events)
    await check_tables(clickhouse_url)


async def test_a_sink_that_is_killed_in_a_rebalance_leaves_no_trace(
    kafka_bootstrap, topics, clickhouse_url, events
):
    log = KafkaLog(kafka_bootstrap)
    async with (
        sink(kafka_bootstrap, clickhouse_url, topics) as first,
        sink(kafka_bootstrap, clickhouse_url, topics),
    ):
        await publish(log, topics, *events[:35])
        await collect(log, f"{topics}progress", lambda found: found)
        async with sink(kafka_bootstrap, clickhouse_url, topics):  # whoever comes has all ask anew
            await publish(log, topics, *events[35:])
            first.kill()
            await collect_all(log, topics, events)
    await check_tables(clickhouse_url)


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("parts_to_throw_insert", 1, "Too many parts"),
        ("min_free_disk_bytes_to_perform_insert", 10**15, "enough free space"),
    ],
)
async def test_what_the_engine_refuses_is_held_and_told_and_stored_when_it_takes_it_again(
    kafka_bootstrap, topics, clickhouse_url, events, setting, value, reason
):
    def since_refused(beats):
        return list(dropwhile(lambda beat: reason not in (beat.detail or ""), beats))

    log, store = KafkaLog(kafka_bootstrap), ClickHouse(clickhouse_url)
    async with sink(kafka_bootstrap, clickhouse_url, topics):
        await publish(log, topics, *events[:35])
        await collect_all(log, topics, events[:35])
        await store.command(f"ALTER TABLE candles MODIFY SETTING {setting} = {value}")
        await publish(log, topics, *events[35:])
        await collect(log, f"{topics}services", since_refused)
        await store.command(f"ALTER TABLE candles RESET SETTING {setting}")
        await collect_all(log, topics, events)
        beats = await collect(
            log,
            f"{topics}services",
            lambda found: any(beat.state == "healthy" for beat in since_refused(found)),
        )
    await store.close()
    await check_tables(clickhouse_url)
    assert since_refused(beats)[0].state == "degraded"
