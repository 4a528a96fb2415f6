"""What a transaction says reaches the log in order, and only if the transaction stands."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from candlelog.clock import ManualClock
from candlelog.errors import Unavailable
from candlelog.events.jobs import JobControlV1
from candlelog.log.memory.log import MemoryLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Received
from candlelog.stores.migrations import migrate_postgres
from candlelog.stores.outbox import Relay
from candlelog.stores.postgres import Pool, connect
from candlelog.stores.transactions import Transactions

pytestmark = pytest.mark.connected

TABLES = """
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL, key bytea NOT NULL, value bytea NOT NULL, headers jsonb NOT NULL
);
CREATE TABLE consumed_offsets (
    topic text NOT NULL, partition integer NOT NULL, next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
"""


class Bench:
    """A pool, a log in memory, and what stands between them."""

    def __init__(self, pool: Pool) -> None:
        self.log = MemoryLog()
        clock = ManualClock(datetime(2024, 3, 1, tzinfo=UTC))
        publisher = Publisher(self, source="t", clock=clock, topic_prefix="candlelog.")
        self.transactions = Transactions(pool, publisher)
        self.relay = Relay(pool, publisher)

    async def send(self, messages: Sequence[object]) -> Sequence[int]:
        async with self.log.producer() as producer:
            return await producer.send(messages)  # type: ignore[arg-type] -- what was given is passed on

    async def say(self, *numbers: int, job: int = 1) -> None:
        async with self.transactions.begin() as transaction:
            transaction.say(*(control(number, job) for number in numbers))

    async def drain(self) -> None:
        while await self.relay.step():
            pass

    def received(self) -> list[Received]:
        return [receive(record) for record in self.log.records("candlelog.jobs.control")]

    def said(self) -> list[int]:
        return [one.event.generation for one in self.received()]


def control(generation: int, job: int = 1) -> JobControlV1:
    return JobControlV1(job_id=UUID(int=job), generation=generation, state="running")


@pytest.fixture
async def pool(postgres_dsn: str, tmp_path: Path) -> AsyncGenerator[Pool]:
    (tmp_path / "0001_tables.sql").write_text(TABLES)
    async with connect(postgres_dsn, schema="spoken", max_size=8) as opened:
        await migrate_postgres(opened, "spoken", tmp_path)
        yield opened


@pytest.fixture
def bench(pool: Pool) -> Bench:
    return Bench(pool)


async def test_events_reach_the_log_in_the_order_they_were_said(bench: Bench):
    for first in (0, 700, 1400):
        await bench.say(*range(first, first + 700))
    await bench.drain()
    assert bench.said() == list(range(2100))


async def test_a_transaction_that_fails_says_nothing(bench: Bench):
    async def fail() -> None:
        async with bench.transactions.begin() as transaction:
            transaction.say(control(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await bench.drain()
    assert bench.said() == []
    assert not bench.transactions.outbox_filled.is_set()


async def test_a_commit_wakes_the_relay(bench: Bench):
    await bench.say(1)
    assert bench.transactions.outbox_filled.is_set()


async def test_while_the_log_is_away_events_stay(bench: Bench):
    await bench.say(1, 2)
    bench.log.away = True
    with pytest.raises(Unavailable):
        await bench.relay.step()
    bench.log.away = False
    await bench.drain()
    assert bench.said() == [1, 2]


async def test_two_relays_at_once_publish_everything_once(bench: Bench):
    await bench.say(*range(3000))
    await asyncio.gather(*(bench.drain() for _ in range(4)))
    assert bench.said() == list(range(3000))


async def test_a_record_is_fresh_once(bench: Bench):
    await bench.say(*range(3))
    await bench.drain()
    for expected in ([True] * 3, [False] * 3):
        async with bench.transactions.begin() as transaction:
            assert await transaction.fresh(bench.received()) == expected


async def test_a_record_whose_transaction_failed_is_fresh_again(bench: Bench):
    await bench.say(1)
    await bench.drain()

    async def fail() -> None:
        async with bench.transactions.begin() as transaction:
            assert await transaction.fresh(bench.received()) == [True]
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await fail()


async def test_a_postgres_that_is_away_is_an_outage(bench: Bench, pool: Pool):
    await pool.close()
    with pytest.raises(Unavailable):
        await bench.relay.step()
    with pytest.raises(Unavailable):
        await bench.say(1)
