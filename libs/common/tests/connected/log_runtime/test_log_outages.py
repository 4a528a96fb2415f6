"""The log goes away and comes back; readers and writers live through it."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from random import Random

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from candlelog.clock import SystemClock
from candlelog.errors import Unavailable
from candlelog.events.jobs import ListMarketsV1
from candlelog.events.topics import DEAD_LETTERS, JOBS_COMMANDS, LIMITS_LEDGER
from candlelog.log.consume import ConsumeLoop
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.kafka import KafkaLog
from candlelog.log.outcome import Done
from candlelog.log.publish import Publisher
from candlelog.log.topics_admin import apply_topics
from candlelog.log.types import Outgoing, Partition

pytestmark = pytest.mark.connected

T0 = datetime(2024, 1, 1, tzinfo=UTC)
TABLE = (JOBS_COMMANDS, LIMITS_LEDGER, DEAD_LETTERS)


class Prefixed(KafkaLog):
    """A log of one test's own topics."""

    def __init__(self, bootstrap, prefix):
        super().__init__(bootstrap)
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.commands = f"{prefix}jobs.commands"
        self.ledger = f"{prefix}limits.ledger"
        self.group = f"{prefix}tested"


class Service:
    """A publisher and a loop that remembers what it has handled."""

    def __init__(self, publisher):
        self.publisher = publisher
        self.seen = set()

    async def handle(self, received):
        self.seen |= {item.event.key for item in received}
        return [Done()] * len(received)

    async def publish(self, *names):
        """Publish until it succeeds, as an outbox does."""
        events = [ListMarketsV1(exchange=name, requested_at=T0) for name in names]
        async with asyncio.timeout(240):
            while True:
                try:
                    return await self.publisher.publish(*events)
                except Unavailable:
                    await asyncio.sleep(0.2)

    async def until(self, *names, seconds=240.0):
        async with asyncio.timeout(seconds):
            while not set(names) <= self.seen:  # noqa: ASYNC110 -- a plain value is waited for
                await asyncio.sleep(0.05)


@asynccontextmanager
async def service(log):
    clock, stopping = SystemClock(), asyncio.Event()
    async with log.producer() as producer, log.consumer([log.commands], log.group) as consumer:
        publisher = Publisher(producer, source="tester", clock=clock, topic_prefix=log.prefix)
        letters = DeadLetters(publisher, service="tester", version="1")
        made = Service(publisher)
        loop = ConsumeLoop(consumer, made.handle, letters, clock=clock, random=Random(1))
        task = asyncio.create_task(loop.run(stopping))
        try:
            yield made
            assert not task.done(), task
        finally:
            stopping.set()
            await task


@pytest.fixture
async def log(own_broker, topic_prefix):
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(Unavailable),  # the last test may just have thawed it
        wait=wait_fixed(0.2),
        stop=stop_after_delay(30),
        reraise=True,
    ):
        with attempt:
            await apply_topics(own_broker.bootstrap, topic_prefix, TABLE)
    return Prefixed(own_broker.bootstrap, topic_prefix)


async def until_all_is_committed(log):
    """Wait for it: a broker that has just come back may not know its groups for a while."""
    admin = AIOKafkaAdminClient(bootstrap_servers=log.bootstrap)
    await admin.start()
    try:
        async with asyncio.timeout(240), log.tail([log.commands], start="end") as tail:
            ends = await tail.end()
            written = {partition: end for partition, end in ends.items() if end}
            while await committed(admin, log.group) != written:  # noqa: ASYNC110 -- the broker is asked
                await asyncio.sleep(0.1)
    finally:
        await admin.close()


async def committed(admin, group):
    try:
        found = await admin.list_consumer_group_offsets(group)
    except KafkaError:
        return {}
    return {Partition(*partition): at.offset for partition, at in found.items()}


async def uncommitted(log):
    async with log.consumer([log.commands], log.group) as consumer:
        return await consumer.poll(max_records=10, timeout=2.0)


async def test_a_broker_that_is_killed_and_started_again_costs_nothing(own_broker, log):
    async with service(log) as running:
        await running.publish("before")
        await running.until("before")
        own_broker.kill()
        meanwhile = asyncio.create_task(running.publish("meanwhile"))
        await asyncio.to_thread(own_broker.start)
        await meanwhile
        await running.publish("after")
        await running.until("meanwhile", "after")
        await until_all_is_committed(log)

    assert not await uncommitted(log)


async def test_a_broker_that_answers_nothing_for_longer_than_sessions_last_is_lived_through(
    own_broker, log, monkeypatch, caplog
):
    # A reader sees that its session is over when a request of its own has had no answer.
    monkeypatch.setattr("candlelog.log.kafka.log.REBALANCE_MS", 7_000)
    monkeypatch.setattr("candlelog.log.kafka.log._REQUEST_MS", 3_000)
    async with service(log) as running:
        await running.publish("before")
        await running.until("before")
        own_broker.freeze()
        meanwhile = asyncio.create_task(running.publish("meanwhile"))
        async with asyncio.timeout(240):
            while "Heartbeat session expired" not in caplog.text:  # noqa: ASYNC110 -- aiokafka only logs it
                await asyncio.sleep(0.1)
        own_broker.thaw()
        await meanwhile
        await running.publish("after")
        await running.until("meanwhile", "after")
        await until_all_is_committed(log)

    assert not await uncommitted(log)


async def test_a_send_to_a_broker_that_answers_nothing_is_unavailable_in_time(own_broker, log):
    async with log.producer() as producer:
        await producer.send([Outgoing(log.commands, b"k", b"v", ())])
        own_broker.freeze()
        async with asyncio.timeout(240):
            with pytest.raises(Unavailable):
                await producer.send([Outgoing(log.commands, b"k", b"v", ())])
        own_broker.thaw()
        await producer.send([Outgoing(log.commands, b"k", b"v", ())])


async def allocator(log, opened):
    """A producer with the allocator's id, as soon as the broker that came back gives one."""
    async with asyncio.timeout(240):
        while True:
            try:
                return await opened.enter_async_context(
                    log.producer(transactional_id=log.prefix + "allocator")
                )
            except Unavailable:
                await asyncio.sleep(0.2)


async def test_a_transaction_in_doubt_is_not_seen_in_half_and_another_producer_goes_on(
    own_broker, log
):
    async with log.producer(transactional_id=log.prefix + "allocator") as first:
        await first.send_atomically([Outgoing(log.ledger, b"k", b"one", ())])
        own_broker.freeze()
        with pytest.raises(Unavailable):
            await first.send_atomically([Outgoing(log.ledger, b"k", b"doubt", ())] * 2)
        own_broker.thaw()
        with pytest.raises(Unavailable, match="open another"):
            await first.send_atomically([Outgoing(log.ledger, b"k", b"never", ())])
        async with AsyncExitStack() as opened:
            second = await allocator(log, opened)
            await second.send_atomically([Outgoing(log.ledger, b"k", b"two", ())])

    async with log.tail([log.ledger], start="beginning") as tail:
        records = list(await tail.poll(max_records=10, timeout=5.0))
        while (await tail.positions()) != (await tail.end()):
            records += await tail.poll(max_records=10, timeout=0.2)
    values = [record.value for record in records]
    assert values in ([b"one", b"two"], [b"one", b"doubt", b"doubt", b"two"])


async def test_leaving_a_broker_that_is_gone_is_bounded_in_time(own_broker, log):
    async with AsyncExitStack() as opened:
        running = await opened.enter_async_context(service(log))
        await running.publish("before")
        await running.until("before")
        own_broker.kill()
        async with asyncio.timeout(240):
            await opened.aclose()


async def test_a_log_that_is_not_there_is_unavailable():
    log = Prefixed("127.0.0.1:1", "nowhere.")
    with pytest.raises(Unavailable):
        await log.producer().__aenter__()
    with pytest.raises(Unavailable):
        await log.consumer([log.commands], log.group).__aenter__()
    with pytest.raises(Unavailable):
        await log.tail([log.commands], start="end").__aenter__()
