"""The consume loop on the real broker."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random

import pytest

from candlelog.clock import SystemClock
from candlelog.events.jobs import ListMarketsV1
from candlelog.events.topics import DEAD_LETTERS, JOBS_COMMANDS
from candlelog.log.consume import ConsumeLoop
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.kafka import KafkaLog
from candlelog.log.outcome import Done
from candlelog.log.publish import Publisher
from candlelog.log.types import Outgoing

pytestmark = pytest.mark.connected

T0 = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def topic_table():
    return (JOBS_COMMANDS, DEAD_LETTERS)


@pytest.fixture
async def log(kafka_bootstrap, topics):
    return KafkaLog(kafka_bootstrap)


@pytest.fixture
async def publisher(log, topics):
    async with log.producer() as producer:
        yield Publisher(producer, source="tester", clock=SystemClock(), topic_prefix=topics)


class Worker:
    """Handles every event in a moment, and remembers where each stood."""

    def __init__(self):
        self.seen = []

    async def handle(self, received):
        await asyncio.sleep(0.01)
        self.seen += [(item.record.partition, item.record.offset) for item in received]
        return [Done()] * len(received)


@asynccontextmanager
async def working(log, publisher, **options):
    stopping, worker = asyncio.Event(), Worker()
    prefix = publisher.topic_prefix
    letters = DeadLetters(publisher, service="tester", version="1")
    async with log.consumer([f"{prefix}jobs.commands"], f"{prefix}tested") as consumer:
        loop = ConsumeLoop(
            consumer, worker.handle, letters, clock=SystemClock(), random=Random(1), **options
        )
        # What is dropped is handled twice: nothing is, in as long as a rebalance waits for.
        loop.grace_seconds = 15.0
        task = asyncio.create_task(loop.run(stopping))
        try:
            yield worker
        finally:
            stopping.set()
            await task


async def commands(publisher, count, first=0):
    await publisher.publish(
        *(
            ListMarketsV1(exchange=f"venue-{number}", requested_at=T0)
            for number in range(first, first + count)
        )
    )


async def until(condition, seconds=240.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- a plain value is waited for
            await asyncio.sleep(0.05)


async def uncommitted(log, topics):
    async with log.consumer([f"{topics}jobs.commands"], f"{topics}tested") as consumer:
        return await consumer.poll(max_records=10, timeout=1.5)


@pytest.mark.parametrize("options", [{"batch": 50}, {"batch": 1, "concurrency": 8}])
async def test_workers_that_come_and_go_handle_everything_and_commit_it(
    log, publisher, topics, options
):
    await commands(publisher, 300)
    async with working(log, publisher, **options) as first:
        await until(lambda: len(first.seen) >= 20)
        async with working(log, publisher, **options) as second:
            await commands(publisher, 300, first=300)
            await until(lambda: len(set(first.seen) | set(second.seen)) >= 500)
        await until(lambda: len(set(first.seen) | set(second.seen)) == 600)

    assert second.seen
    assert len(first.seen) + len(second.seen) == 600
    assert not await uncommitted(log, topics)


async def test_what_is_no_event_goes_to_the_dead_letters_with_its_bytes(log, publisher, topics):
    poison = Outgoing(f"{topics}jobs.commands", b"venue-0", b"\xff\x00", (("ce_id", b"1"),))
    await publisher.send([poison])
    await commands(publisher, 1)
    async with working(log, publisher) as worker:
        await until(lambda: worker.seen)
    async with log.tail([f"{topics}dead-letters"], start="beginning") as tail:
        (letter,) = await tail.poll(max_records=10, timeout=60.0)

    assert (letter.key, letter.value) == (poison.key, poison.value)
    assert dict(letter.headers)["origin_topic"] == poison.topic.encode()
    assert not await uncommitted(log, topics)


async def test_lag_falls_to_zero(log, publisher, topics):
    await commands(publisher, 100)
    async with log.consumer([f"{topics}jobs.commands"], f"{topics}tested") as consumer:
        worker, stopping = Worker(), asyncio.Event()
        letters = DeadLetters(publisher, service="tester", version="1")
        loop = ConsumeLoop(consumer, worker.handle, letters, clock=SystemClock(), batch=10)
        task = asyncio.create_task(loop.run(stopping))
        await until(lambda: loop.lag > 0)
        await until(lambda: loop.lag == 0)
        stopping.set()
        await task
    assert len(worker.seen) == 100
