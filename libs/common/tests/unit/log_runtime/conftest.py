"""A consume loop on the log in memory."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
import pytest

from candlelog.clock import SystemClock
from candlelog.events.candles import CANDLE_SCHEMA, CandleBatchHeaderV1, CandleBatchV1
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import ListMarketsV1
from candlelog.log.consume import ConsumeLoop
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.memory import MemoryLog
from candlelog.log.outcome import Done
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive

T0 = datetime(2024, 1, 1, tzinfo=UTC)


class Bench:
    """A log in memory, a publisher, and loops that read `jobs.commands` (six partitions)."""

    topic = "candlelog.jobs.commands"
    group = "candlelog.tested"

    def __init__(self):
        self.log = MemoryLog()
        self.publisher = None
        self.dead_letters = None
        self.loop = None

    async def publish(self, *events):
        return await self.publisher.publish(*events)

    async def commands(self, count, first=0):
        """`count` commands with keys of their own."""
        await self.publish(
            *(
                ListMarketsV1(exchange=f"venue-{number}", requested_at=T0)
                for number in range(first, first + count)
            )
        )

    @asynccontextmanager
    async def running(self, handle, *, topics=None, grace=30.0, **options):
        """A loop that runs until the block is left; its failure is raised there."""
        stopping = asyncio.Event()
        async with self.log.consumer(topics or [self.topic], self.group) as consumer:
            loop = ConsumeLoop(
                consumer,
                handle,
                self.dead_letters,
                clock=SystemClock(),
                random=Random(1),
                **options,
            )
            loop.grace_seconds = grace
            self.loop = loop
            task = asyncio.create_task(loop.run(stopping))
            try:
                yield task
                stopping.set()
                await task
            finally:
                task.cancel()

    async def uncommitted(self):
        """How many records the group has not committed."""
        async with self.log.consumer([self.topic], self.group) as consumer:
            return consumer.lag

    def buried(self):
        """The dead letters, oldest first."""
        return sorted(
            self.log.records("candlelog.dead-letters"), key=lambda record: record.appended_at
        )

    def said(self, topic, of):
        """Events of one type on a topic."""
        events = [receive(record).event for record in self.log.records(f"candlelog.{topic}")]
        return [event for event in events if isinstance(event, of)]


@pytest.fixture
async def bench():
    made = Bench()
    async with made.log.producer() as producer:
        made.publisher = Publisher(
            producer, source="tester", clock=SystemClock(), topic_prefix="candlelog."
        )
        made.dead_letters = DeadLetters(made.publisher, service="tester", version="1.2.3")
        yield made


class Handler:
    """Remembers what it was given; `answer(event)` decides."""

    def __init__(self, answer=lambda event: Done()):
        self.answer = answer
        self.calls = []

    @property
    def seen(self):
        return [name for call in self.calls for name in call]

    async def __call__(self, received):
        self.calls.append([item.event.key for item in received])
        return [self.answer(item.event) for item in received]


@pytest.fixture
def handler():
    return Handler


async def _eventually(condition, seconds=240.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- what is waited for is a plain value
            await asyncio.sleep(0.01)


@pytest.fixture
def eventually():
    """Wait until a condition holds; fails after thirty seconds."""
    return _eventually


@pytest.fixture
def fetch_requested():
    return FetchRequestedV1(
        chunk_id=UUID(int=1),
        job_id=UUID(int=2),
        task_id=UUID(int=3),
        exchange="binance",
        symbol="BTC/USDT",
        timeframe="1m",
        start=T0,
        end=T0 + timedelta(minutes=2),
        slots=2,
        generation=4,
        release=5,
        attempt=2,
        max_attempts=3,
    )


@pytest.fixture
def candle_batch():
    count = 2
    times = pa.array(
        [T0 + timedelta(minutes=number) for number in range(count)], CANDLE_SCHEMA[0].type
    )
    prices = [pa.array(np.full(count, 10.0)) for _ in range(5)]
    rows = pa.RecordBatch.from_arrays(
        [times, *prices, pa.nulls(count, pa.float64()), pa.nulls(count, pa.uint32())],
        schema=CANDLE_SCHEMA,
    )
    header = CandleBatchHeaderV1(
        job_id=uuid4(),
        task_id=uuid4(),
        chunk_id=uuid4(),
        generation=1,
        release=2,
        exchange="binance",
        symbol="BTC/USDT",
        timeframe="1m",
        start=T0,
        end=T0 + timedelta(minutes=count),
        slots=count,
        answer="candles",
        observed_at=T0,
    )
    return CandleBatchV1(header, rows)
