"""The gap auditor as a process: from the log to its tables and back to the log."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager

import pytest

from candlelog.clock import SystemClock
from candlelog.events.gaps import GapClosedV1, GapOpenedV1
from candlelog.events.progress import TaskAuditedV1
from candlelog.log.kafka import KafkaLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.market.series import Series
from candlelog.market.slots import SlotState

pytestmark = pytest.mark.connected

SERIES = [Series("binance", f"S{number}/USDT", "1m") for number in range(5)]


@pytest.fixture
def environment(kafka_bootstrap, topics, clickhouse_url, postgres_dsn) -> dict[str, str]:
    return {
        "CANDLELOG_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "CANDLELOG_CLICKHOUSE_URL": clickhouse_url,
        "CANDLELOG_POSTGRES_DSN": postgres_dsn,
        "CANDLELOG_TOPIC_PREFIX": topics,
    }


@asynccontextmanager
async def auditor(environment: dict[str, str]):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gap_auditor", env=os.environ | environment
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


def of_kind(found: list[object], kind: type) -> list[object]:
    return [event for event in found if isinstance(event, kind)]


async def publish(log: KafkaLog, prefix: str, *events) -> None:
    async with log.producer() as producer:
        publisher = Publisher(producer, source="test", clock=SystemClock(), topic_prefix=prefix)
        await publisher.publish(*events)


async def test_a_killed_auditor_goes_on_where_it_was(
    environment, kafka_bootstrap, topics, engine, job, in_minutes
):
    log, gaps, progress = KafkaLog(kafka_bootstrap), f"{topics}gaps", f"{topics}progress"
    jobs = [job(0, 10, *SERIES) for _ in range(4)]
    for series in SERIES:
        await engine.learn(series, in_minutes(0, 6), SlotState.PRESENT)
    async with auditor(environment) as first:
        await publish(log, topics, *(event for one in jobs[:2] for event in one.planned()))
        await publish(log, topics, *jobs[0].tasks("failed"), *jobs[1].tasks("failed"))
        await collect(log, gaps, lambda found: found)
        first.kill()
    for series in SERIES:
        await engine.learn(series, in_minutes(6, 10), SlotState.PRESENT)
    await publish(log, topics, *(event for one in jobs[2:] for event in one.planned()))
    await publish(log, topics, *jobs[2].tasks(), *jobs[3].tasks())
    wanted = {one.task_id(series) for one in jobs for series in SERIES}
    async with auditor(environment) as second:
        audited = await collect(
            log,
            progress,
            lambda found: wanted <= {e.task_id for e in of_kind(found, TaskAuditedV1)},
        )
        told = await collect(
            log, gaps, lambda found: len({e.gap_id for e in of_kind(found, GapClosedV1)}) == 5
        )
    assert second.returncode == 0
    # A job keeps to one partition: of each task the last audit that was read is the newest.
    unknown = {e.task_id: e.slots_unknown for e in of_kind(audited, TaskAuditedV1)}
    later = {one.task_id(series) for one in jobs[2:] for series in SERIES}
    assert {unknown[task_id] for task_id in later} == {0}
    opened, closed = of_kind(told, GapOpenedV1), of_kind(told, GapClosedV1)
    assert {e.gap_id for e in opened} == {e.gap_id for e in closed}
    assert {e.symbol for e in closed} == {series.symbol for series in SERIES}
    assert {(e.state, e.slots) for e in closed} == {("filled", 4)}
