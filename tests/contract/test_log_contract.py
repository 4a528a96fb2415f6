"""What every log promises: one suite, run on the log in memory and on the broker.

Of a broker it needs the topics of the table under a prefix of its own (fixtures `kafka_bootstrap`,
`topics` and `topic_prefix`). The mark `broker` of a test names what it holds a broker to;
`docs/reference/broker.md` says the same in Kafka's words, and how to hold another broker to it.
"""

import asyncio
from collections import defaultdict
from datetime import timedelta

import pytest

from candlelog.clock import SystemClock
from candlelog.errors import Fenced
from candlelog.events.topics import LIMITS_LEDGER, PROGRESS, SERVICES
from candlelog.log.kafka import KafkaLog
from candlelog.log.memory import MemoryLog
from candlelog.log.partitioner import partition_of
from candlelog.log.types import Fetch, Outgoing, Partition

broker = pytest.mark.broker

CLOCKS_APART = timedelta(seconds=30)
"""What a broker's clock and ours may differ by."""


@pytest.fixture
def topic_table():
    return (LIMITS_LEDGER, PROGRESS, SERVICES)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.connected)])
def log(request, topic_prefix, monkeypatch):
    # Nobody is killed here, and a machine that stands still for 6 s must not look so.
    monkeypatch.setattr("candlelog.log.kafka.log.SESSION_MS", 20_000)
    if request.param == "memory":
        return MemoryLog(topic_prefix=topic_prefix, clock=SystemClock())
    request.getfixturevalue("topics")
    return KafkaLog(request.getfixturevalue("kafka_bootstrap"), clock=SystemClock())


@pytest.fixture
def one(topic_prefix):
    """A topic of one partition."""
    return SERVICES.full_name(topic_prefix)


@pytest.fixture
def many(topic_prefix):
    """A topic of six partitions."""
    return PROGRESS.full_name(topic_prefix)


@pytest.fixture
def group(topic_prefix):
    return topic_prefix + "readers"


def numbered(topic, count, first=0):
    return [
        Outgoing(
            topic, f"key-{number}".encode(), f"value-{number}".encode(), (("n", b"%d" % number),)
        )
        for number in range(first, first + count)
    ]


async def take(reader, count, seconds=240.0):
    """Records until there are `count`; fails when they do not come."""
    records = []
    async with asyncio.timeout(seconds):
        while len(records) < count:
            records += await reader.poll(max_records=count - len(records), timeout=0.2)
    return records


async def nothing(reader):
    return await reader.poll(max_records=10, timeout=0.3)


async def read_to_end(tail):
    """Everything up to where the log ended when this was called."""
    records = []
    end = await tail.end()
    async with asyncio.timeout(240):
        while not covers(await tail.positions(), end):
            records += await tail.poll(max_records=100, timeout=0.2)
    return records


def covers(positions, end):
    return all(positions[partition] >= end[partition] for partition in end)


async def append(log, messages):
    async with log.producer() as producer:
        return await producer.send(messages)


def positions_after(records):
    positions = {}
    for record in records:
        positions[record.partition] = record.offset + 1
    return positions


@broker("record format", "timestamps")
async def test_a_record_comes_back_as_it_was_sent(log, one):
    message = Outgoing(one, b"key", b"\x00value\xff", (("a", b"1"), ("a", b"2"), ("empty", b"")))
    before = SystemClock().now()
    await append(log, [message])
    after = SystemClock().now()
    async with log.tail([one], start="beginning") as tail:
        (record,) = await take(tail, 1)

    assert (record.key, record.value, record.headers) == (b"key", b"\x00value\xff", message.headers)
    assert record.partition == Partition(one, 0)
    assert before - CLOCKS_APART <= record.appended_at <= after + CLOCKS_APART


@broker("record format")
@pytest.mark.connected
async def test_a_record_that_is_not_compressed_comes_back_as_it_was_sent(
    kafka_bootstrap, topics, one
):
    log = KafkaLog(kafka_bootstrap, compression=None)
    await append(log, [Outgoing(one, b"key", b"\x00value\xff" * 500, ())])
    async with log.tail([one], start="beginning") as tail:
        (record,) = await take(tail, 1)
    assert (record.key, record.value) == (b"key", b"\x00value\xff" * 500)


@broker("idempotent producer")
async def test_send_returns_the_offset_of_every_message_in_order(log, many):
    messages = numbered(many, 50)
    offsets = await append(log, messages)
    async with log.tail([many], start="beginning") as tail:
        found = {record.key: record.offset for record in await take(tail, 50)}

    assert list(offsets) == [found[message.key] for message in messages]


@broker("idempotent producer")
async def test_sending_nothing_returns_nothing(log):
    assert list(await append(log, [])) == []


@broker("partitions")
async def test_a_key_decides_the_partition_as_kafka_does(log, many):
    keys = [b"", b"a", b"ab", b"abc", b"abcd", b"binance|BTC/USDT|1m", bytes(range(256))]
    await append(log, [Outgoing(many, key, b"v", ()) for key in keys])
    async with log.tail([many], start="beginning") as tail:
        found = {record.key: record.partition.number for record in await take(tail, len(keys))}

    assert found == {key: partition_of(key, 6) for key in keys}


@broker("idempotent producer", "partitions")
async def test_a_partition_keeps_its_order(log, many):
    await append(log, numbered(many, 200))
    async with log.tail([many], start="beginning") as tail:
        records = await take(tail, 200)

    by_partition = defaultdict(list)
    for record in records:
        by_partition[record.partition].append((record.offset, int(record.value.split(b"-")[1])))
    assert len(by_partition) == 6
    assert all(rows == sorted(rows) for rows in by_partition.values())
    assert all([n for _, n in rows] == sorted(n for _, n in rows) for rows in by_partition.values())


@broker("consumer groups")
async def test_poll_returns_no_more_than_it_was_asked_for(log, many, group):
    await append(log, numbered(many, 20))
    async with log.consumer([many], group) as consumer:
        first = await take(consumer, 1)
        assert len(first) == 1
        assert len(await consumer.poll(max_records=7, timeout=5.0)) <= 7


@broker("consumer groups")
async def test_poll_returns_nothing_after_its_timeout(log, one, group):
    async with log.consumer([one], group) as consumer, asyncio.timeout(240):
        assert not await consumer.poll(max_records=10, timeout=0.3)


@broker("consumer groups")
async def test_poll_waits_for_a_record_that_comes_before_its_timeout(log, one, group):
    async with log.consumer([one], group) as consumer, log.producer() as producer:
        polling = asyncio.create_task(consumer.poll(max_records=10, timeout=240.0))
        await asyncio.sleep(0)
        await producer.send(numbered(one, 1))
        (record,) = await polling
    assert record.value == b"value-0"


@broker("blocks")
async def test_fewer_records_than_a_block_come_when_their_time_is_over(log, one, group):
    await append(log, numbered(one, 2))
    block = Fetch(least_bytes=4 * 1024 * 1024, wait_ms=200)
    async with log.consumer([one], group, fetch=block) as consumer:
        assert len(await take(consumer, 2)) == 2


@broker("blocks", "message size")
async def test_a_record_that_is_larger_than_a_block_comes_too(log, one, group):
    large = Outgoing(one, b"key", bytes(2 * 1024 * 1024), ())
    await append(log, [large, *numbered(one, 1)])
    async with log.consumer([one], group) as consumer:
        assert [len(each.value) for each in await take(consumer, 2)] == [2 * 1024 * 1024, 7]


@broker("committed offsets")
async def test_a_new_member_begins_where_the_group_has_committed(log, one, group):
    await append(log, numbered(one, 10))
    async with log.consumer([one], group) as consumer:
        await take(consumer, 10)
        await consumer.commit({Partition(one, 0): 4})
    async with log.consumer([one], group) as consumer:
        records = await take(consumer, 6)

    assert [record.offset for record in records] == [4, 5, 6, 7, 8, 9]


@broker("committed offsets")
async def test_what_was_not_committed_comes_again(log, one, group):
    await append(log, numbered(one, 3))
    async with log.consumer([one], group) as consumer:
        await take(consumer, 3)
    async with log.consumer([one], group) as consumer:
        assert [record.offset for record in await take(consumer, 3)] == [0, 1, 2]


@broker("consumer groups")
async def test_groups_do_not_see_each_other(log, one, group):
    await append(log, numbered(one, 3))
    async with log.consumer([one], group) as consumer, log.consumer([one], group + "2") as other:
        assert len(await take(consumer, 3)) == len(await take(other, 3)) == 3


@broker("consumer groups", "eager rebalance")
async def test_members_share_the_partitions(log, many, group):
    async with log.consumer([many], group) as first, log.consumer([many], group) as second:
        await append(log, numbered(many, 100))
        records = ([], [])
        async with asyncio.timeout(240):
            while len(records[0]) + len(records[1]) < 100:
                records[0].extend(await first.poll(max_records=100, timeout=0.1))
                records[1].extend(await second.poll(max_records=100, timeout=0.1))

    held = [{record.partition for record in share} for share in records]
    assert len(held[0]) == len(held[1]) == 3
    assert not held[0] & held[1]
    assert len({(record.partition, record.offset) for share in records for record in share}) == 100


@broker("eager rebalance", "committed offsets")
async def test_the_release_is_called_before_partitions_go_and_may_commit(log, one, group):
    await append(log, numbered(one, 4))
    async with log.consumer([one], group) as first:
        records = await take(first, 4)
        seen_while_releasing = []

        async def release():
            await first.commit(positions_after(records[:2]))
            seen_while_releasing.append(await nothing(first))

        first.before_revoke(release)
        await append(log, numbered(one, 1, first=4))
        async with log.consumer([one], group) as second:
            assert [len(seen) for seen in seen_while_releasing] == [0]
            again = await take_from_either(first, second, 3)

    assert sorted(record.offset for record in again) == [2, 3, 4]


async def take_from_either(first, second, count):
    records = []
    async with asyncio.timeout(240):
        while len(records) < count:
            records += await first.poll(max_records=10, timeout=0.1)
            records += await second.poll(max_records=10, timeout=0.1)
    return records


@broker("committed offsets")
async def test_a_commit_for_a_partition_that_is_not_held_is_dropped(log, one, many, group):
    await append(log, numbered(one, 2))
    async with log.consumer([one], group) as consumer:
        await take(consumer, 2)
        await consumer.commit({Partition(many, 3): 1, Partition(one, 0): 1})
    async with log.consumer([one], group) as consumer:
        assert [record.offset for record in await take(consumer, 1)] == [1]


@broker("high watermark", "committed offsets")
async def test_lag_counts_what_was_not_committed(log, one, group):
    await append(log, numbered(one, 5))
    async with log.consumer([one], group) as consumer:
        await take(consumer, 5)
        assert consumer.lag == 5
        await consumer.commit({Partition(one, 0): 3})
        assert consumer.lag == 2
        await consumer.commit({Partition(one, 0): 5})
        assert consumer.lag == 0


@broker("positions")
async def test_a_tail_from_the_end_sees_only_what_comes_later(log, many):
    await append(log, numbered(many, 10))
    async with log.tail([many], start="end") as tail:
        assert await tail.positions() == await tail.end()
        await append(log, numbered(many, 1, first=10))
        assert [record.value for record in await take(tail, 1)] == [b"value-10"]


@broker("positions")
async def test_a_tail_begins_at_given_positions_and_elsewhere_at_the_beginning(log, one, many):
    await append(log, numbered(one, 5) + numbered(many, 5))
    async with log.tail([one, many], start={Partition(one, 0): 3}) as tail:
        records = await read_to_end(tail)

    assert [r.offset for r in records if r.partition.topic == one] == [3, 4]
    assert len([r for r in records if r.partition.topic == many]) == 5


@broker("positions")
async def test_a_tail_knows_when_it_has_read_to_the_end(log, many):
    await append(log, numbered(many, 30))
    async with log.tail([many], start="beginning") as tail:
        assert len(await read_to_end(tail)) == 30
        assert await tail.positions() == await tail.end()
        assert sum((await tail.end()).values()) == 30


@broker("positions")
async def test_a_tail_of_one_partition_sees_nothing_of_the_others(log, one, many):
    await append(log, numbered(one, 5) + numbered(many, 30))
    (number, *_) = {r.partition.number for r in await _all(log, many)}
    only = Partition(many, number)
    async with log.tail([many], start={only: 1}, only=only) as tail:
        records = await read_to_end(tail)
        assert set(await tail.positions()) == {only}

    assert {record.partition for record in records} == {only}
    assert [record.offset for record in records] == list(range(1, len(records) + 1))


async def _all(log, topic):
    async with log.tail([topic], start="beginning") as tail:
        return await read_to_end(tail)


@broker("positions")
async def test_tails_do_not_share(log, one):
    await append(log, numbered(one, 3))
    async with (
        log.tail([one], start="beginning") as first,
        log.tail([one], start="beginning") as second,
    ):
        assert len(await take(first, 3)) == len(await take(second, 3)) == 3


@pytest.fixture
def ledger(topic_prefix):
    return LIMITS_LEDGER.full_name(topic_prefix)


@broker("transactions", "read_committed")
async def test_a_transaction_is_read_and_its_end_reached(log, ledger, topic_prefix):
    async with log.producer(transactional_id=topic_prefix + "allocator") as producer:
        first = await producer.send_atomically(numbered(ledger, 3))
        second = await producer.send_atomically(numbered(ledger, 1, first=3))
    async with log.tail([ledger], start="beginning") as tail:
        records = await read_to_end(tail)

    assert [record.value for record in records] == [b"value-0", b"value-1", b"value-2", b"value-3"]
    assert [record.offset for record in records] == [*first, *second]


@broker("transactions", "fencing", "read_committed")
async def test_a_newer_producer_fences_the_one_before(log, ledger, topic_prefix):
    name = topic_prefix + "allocator"
    async with log.producer(transactional_id=name) as older:
        await older.send_atomically(numbered(ledger, 1))
        async with log.producer(transactional_id=name) as newer:
            with pytest.raises(Fenced):
                await older.send_atomically(numbered(ledger, 1, first=1))
            await newer.send_atomically(numbered(ledger, 1, first=2))
    async with log.tail([ledger], start="beginning") as tail:
        assert [record.value for record in await read_to_end(tail)] == [b"value-0", b"value-2"]


@broker("transactions", "fencing")
async def test_other_transactional_ids_are_not_fenced(log, ledger, topic_prefix):
    async with (
        log.producer(transactional_id=topic_prefix + "a") as first,
        log.producer(transactional_id=topic_prefix + "b") as second,
    ):
        await second.send_atomically(numbered(ledger, 1))
        await first.send_atomically(numbered(ledger, 1))
