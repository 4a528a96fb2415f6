"""Topics are brought in line with the table."""

import asyncio
import os

import pytest

from candlelog.errors import Invalid, Misconfigured, Unavailable
from candlelog.events.topics import CANDLES, DEAD_LETTERS, MAX_MESSAGE_BYTES, TOPICS
from candlelog.log.kafka import KafkaLog
from candlelog.log.kafka.admin import TopicState, administration
from candlelog.log.topics_admin import Applied, apply_topics, list_topics
from candlelog.log.types import Outgoing

pytestmark = pytest.mark.connected
broker = pytest.mark.broker


async def until_shown(admin, name, condition):
    async with asyncio.timeout(240):
        while not any(condition(topic) for topic in await admin.topics(name)):  # noqa: ASYNC110 -- the broker has no event for it
            await asyncio.sleep(0.05)


@broker("topic configuration", "retention", "compaction")
async def test_all_topics_of_the_table_are_there_as_it_says(kafka_bootstrap, topics):
    found = {topic.name: topic for topic in await list_topics(kafka_bootstrap, topics)}

    assert found.keys() == {topics + topic.name for topic in TOPICS}
    for topic in TOPICS:
        there = found[topics + topic.name]
        assert there.partitions == topic.partitions
        assert topic.configuration().items() <= there.configuration.items()


@broker("topic configuration")
async def test_applying_again_does_nothing(kafka_bootstrap, topics):
    assert await apply_topics(kafka_bootstrap, topics) == Applied((), ())


@broker("topic configuration", "retention")
async def test_a_setting_that_differs_is_set(kafka_bootstrap, topics):
    name = topics + CANDLES.name
    async with administration(kafka_bootstrap) as admin:
        await admin.configure([TopicState(name, 12, {"retention.ms": "1000"})])
        await until_shown(admin, name, lambda t: t.configuration["retention.ms"] == "1000")

    assert await apply_topics(kafka_bootstrap, topics) == Applied((), (name,))
    assert await apply_topics(kafka_bootstrap, topics) == Applied((), ())


@broker("topic configuration", "partitions")
async def test_another_number_of_partitions_is_refused(kafka_bootstrap, topic_prefix):
    name = topic_prefix + CANDLES.name
    async with administration(kafka_bootstrap) as admin:
        await admin.create([TopicState(name, 2, {})])
        await until_shown(admin, name, lambda topic: topic.partitions == 2)

    with pytest.raises(Misconfigured, match="has 2 partitions instead of 12"):
        await apply_topics(kafka_bootstrap, topic_prefix)


async def test_a_broker_that_is_not_there_is_unavailable():
    with pytest.raises(Unavailable):
        await apply_topics("127.0.0.1:1", "x.")


@broker("message size")
async def test_records_up_to_the_limit_pass_and_larger_ones_are_refused(kafka_bootstrap, topics):
    log, topic = KafkaLog(kafka_bootstrap), topics + CANDLES.name
    large = Outgoing(topic, b"k", os.urandom(MAX_MESSAGE_BYTES - 4096), ())
    async with log.producer() as producer, log.tail([topic], start="beginning") as tail:
        await producer.send([large])
        with pytest.raises(Invalid):
            await producer.send([Outgoing(topic, b"k", os.urandom(MAX_MESSAGE_BYTES + 1), ())])
        (record,) = await tail.poll(max_records=1, timeout=60.0)

    assert record.value == large.value


@broker("message size")
async def test_the_dead_letter_of_the_largest_record_is_accepted(kafka_bootstrap, topics):
    topic = topics + DEAD_LETTERS.name
    postmark = (("stack", os.urandom(16_384)),)
    async with KafkaLog(kafka_bootstrap).producer() as producer:
        await producer.send([Outgoing(topic, b"k", os.urandom(MAX_MESSAGE_BYTES), postmark)])
