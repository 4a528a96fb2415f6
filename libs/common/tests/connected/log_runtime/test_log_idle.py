"""Who gets nothing asks less often, and is as quick as ever once there is something."""

import asyncio
from datetime import UTC, datetime

import pytest
from aiokafka.consumer import fetcher

from candlelog.clock import ManualClock
from candlelog.events.topics import PROGRESS, SERVICES
from candlelog.log.kafka import KafkaLog
from candlelog.log.types import AT_ONCE, Outgoing

pytestmark = pytest.mark.connected


@pytest.fixture
def asked(monkeypatch):
    """For how long the broker was to keep each answer back, in milliseconds."""
    waits, request = [], fetcher.FetchRequest

    def asking(wait, *rest, **named):
        waits.append(wait)
        return request(wait, *rest, **named)

    monkeypatch.setattr(fetcher, "FetchRequest", asking)
    return waits


async def asked_after_a_record(kafka_bootstrap: str, topics: str, asked: list[int], name: str):
    """For how long a consumer that had nothing for long lets the broker wait after a record."""
    topic, clock = f"{topics}{name}", ManualClock(datetime(2024, 1, 1, tzinfo=UTC))
    log = KafkaLog(kafka_bootstrap, clock=clock)
    async with (
        asyncio.timeout(240),
        log.consumer([topic], f"{topics}readers") as consumer,
        log.producer() as producer,
    ):
        clock.advance(5.0)
        while AT_ONCE.idle_ms not in asked:
            assert not await consumer.poll(max_records=1, timeout=0.2)
        await producer.send([Outgoing(topic, b"key", b"value", ())])
        while not await consumer.poll(max_records=1, timeout=0.2):
            pass
        asked.clear()
        while not asked:
            await consumer.poll(max_records=1, timeout=0.2)
    return asked[0]


async def test_the_broker_keeps_answers_back_for_longer_until_there_is_a_record(
    kafka_bootstrap, topics, asked
):
    assert PROGRESS.partitions > 1
    waited = await asked_after_a_record(kafka_bootstrap, topics, asked, PROGRESS.name)
    assert waited == AT_ONCE.wait_ms


async def test_of_one_partition_answers_are_kept_back_for_longer_all_the_time(
    kafka_bootstrap, topics, asked
):
    assert SERVICES.partitions == 1
    waited = await asked_after_a_record(kafka_bootstrap, topics, asked, SERVICES.name)
    assert waited == AT_ONCE.idle_ms


async def test_the_end_of_the_log_is_told_while_an_answer_is_kept_back(
    kafka_bootstrap, topics, asked
):
    topic, clock = SERVICES.full_name(topics), ManualClock(datetime(2024, 1, 1, tzinfo=UTC))
    log = KafkaLog(kafka_bootstrap, clock=clock)
    async with asyncio.timeout(240), log.tail([topic], start="end") as tail:
        clock.advance(5.0)

        async def told_meanwhile() -> bool:
            """Whether nothing was asked for again until the end was told."""
            asked.clear()
            while AT_ONCE.idle_ms not in asked:
                assert not await tail.poll(max_records=1, timeout=0.2)
            kept_back = len(asked)
            assert await tail.end() == await tail.positions()
            return len(asked) == kept_back

        # The first answers may say that the topic is not led yet: those are not kept back.
        while not await told_meanwhile():
            pass
