"""A shadow holds, as of every moment, what the live tables hold, whatever the log has kept."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlelog.clock import ManualClock
from candlelog.events.rebuild import PartRebuiltV1, RebuildRequestedV1
from candlelog.events.topics import CANDLES
from candlelog.log.memory import MemoryLog
from candlelog.log.outcome import Done, Reject, Skip
from candlelog.log.partitioner import key_into, partition_of
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition
from clickhouse_sink.adapters.memory import MemorySets, MemoryTables
from clickhouse_sink.handlers.apart import Apart
from clickhouse_sink.handlers.batches import StoreBatches
from clickhouse_sink.handlers.rebuild import Rebuild, StepSize
from clickhouse_sink.handlers.turns import Turns
from clickhouse_sink.handlers.watermarks import Watermarks

TOPIC = "candlelog.candles"
SHADOW = 7
NUMBER = partition_of(b"binance|BTC/USDT|1m", CANDLES.partitions)
MOMENTS = 10


class Sink:
    """One partition of the log and the sets it is stored in."""

    def __init__(self, publisher: Publisher, log: MemoryLog, now, step: StepSize) -> None:
        self.log, self.publisher, self.sets = log, publisher, MemorySets()
        self.read = 0
        clock = ManualClock(now)
        turns = Turns()
        store = StoreBatches(
            self.sets, publisher, Watermarks(CANDLES), clock=clock, max_rows=1000, turns=turns
        )
        rebuild = Rebuild(self.sets, log, publisher, step, turns=turns)
        self.handle = Apart(store, RebuildRequestedV1, rebuild)

    async def ask(self, job, origin: str, **changes) -> None:
        request = RebuildRequestedV1(
            job_id=job,
            number=SHADOW,
            origin=origin,
            partition=NUMBER,
            routing=key_into(NUMBER, CANDLES.partitions),
        )
        await self.publisher.publish(request.model_copy(update=changes))

    async def work(self):
        """Handle what is on the log, until nothing is."""
        outcomes = []
        partition = Partition(TOPIC, NUMBER)
        while records := [r for r in self.log.records(TOPIC) if r.offset >= self.read]:
            assert {record.partition for record in records} == {partition}
            outcomes += await self.handle([receive(record) for record in records])
            self.read = records[-1].offset + 1
        return outcomes

    def said(self) -> list[PartRebuiltV1]:
        events = [receive(record).event for record in self.log.records("candlelog.progress")]
        return [event for event in events if isinstance(event, PartRebuiltV1)]


@pytest.fixture(scope="session")
def sink_of(now):
    """Makes a sink over a log of its own."""

    def make(log: MemoryLog, producer, step=StepSize(2, 6)) -> Sink:  # noqa: B008 - frozen
        publisher = Publisher(
            producer, source="sink", clock=ManualClock(now), topic_prefix="candlelog."
        )
        return Sink(publisher, log, now, step)

    return make


def believed(tables: MemoryTables, moments):
    """The values of each slot, as of each moment."""
    slots = defaultdict(list)
    for row in (*tables.rows("candle_revisions"), *tables.rows("candles")):
        slots[row["open_time"]].append((row["observed_at"], row["close"]))
    return {
        (slot, moment): [close for at, close in sorted(seen) if at <= moment][-1:]
        for slot, seen in slots.items()
        for moment in moments
    }


closes = st.lists(st.sampled_from([1.0, 2.0]), min_size=1, max_size=4)
answers = st.lists(st.tuples(st.integers(0, 3), closes), max_size=MOMENTS)


@settings(max_examples=50)
@given(answers, st.permutations(range(MOMENTS)), st.integers(0, MOMENTS), st.integers(0, MOMENTS))
async def test_a_rebuilt_shadow_is_read_as_the_live_tables_are(
    sink_of, batch_of, said, moments, first, second
):
    """The log has lost what came before `first`; from `second` on it came while it was rebuilt.

    In every third slot nothing was traded, whenever it was asked for.
    """
    job = batch_of([1.0]).header.job_id
    log = MemoryLog()
    async with log.producer() as producer:
        sink = sink_of(log, producer)
        batches = [
            batch_of(
                [None if (start + n) % 3 == 2 else value for n, value in enumerate(values)],
                start=start,
                observed=observed,
            )
            for (start, values), observed in zip(said, moments, strict=False)
        ]
        first, second = sorted((min(first, len(said)), min(second, len(said))))
        await sink.publisher.publish(*batches[:second])
        await sink.work()
        await sink.sets.open(SHADOW)
        await sink.ask(job, "log", position=first)
        await sink.publisher.publish(*batches[second:])
        await sink.work()
        await sink.ask(job, "store")
        await sink.work()
    rebuilt, live = await sink.sets.current()
    times = [batch_of([1.0], observed=at).header.observed_at for at in range(MOMENTS)]
    assert believed(rebuilt, times) == believed(live, times)
    assert rebuilt.rows("coverage") == live.rows("coverage")
    from_log, from_store = (
        [one for one in sink.said() if one.origin == origin] for origin in ("log", "store")
    )
    assert from_log[-1].through
    assert from_store[-1].through


async def test_steps_are_small_and_each_asks_for_the_next(sink_of, batch_of):
    job = batch_of([1.0]).header.job_id
    log = MemoryLog()
    async with log.producer() as producer:
        sink = sink_of(log, producer)
        await sink.publisher.publish(*(batch_of([1.0], start=n) for n in range(5)))
        await sink.work()
        await sink.sets.open(SHADOW)
        await sink.ask(job, "log")
        assert await sink.work() == [Done()] * 3
    assert [(one.done, one.total, one.rows) for one in sink.said()] == [
        (2, 5, 2), (4, 5, 2), (5, 5, 1)
    ]  # fmt: skip


async def test_a_request_for_a_shadow_that_is_closed_is_passed_over(sink_of, batch_of):
    log = MemoryLog()
    async with log.producer() as producer:
        sink = sink_of(log, producer)
        await sink.ask(batch_of([1.0]).header.job_id, "log")
        assert await sink.work() == [Skip("the shadow is closed")]


async def test_a_request_in_another_partition_than_its_own_is_refused(sink_of, batch_of):
    log = MemoryLog()
    async with log.producer() as producer:
        sink = sink_of(log, producer)
        await sink.ask(batch_of([1.0]).header.job_id, "log", partition=NUMBER + 1)
        assert await sink.work() == [Reject("the topic has other partitions than its table says")]


async def test_what_had_been_refused_is_not_rebuilt(sink_of, batch_of):
    log = MemoryLog()
    async with log.producer() as producer:
        sink = sink_of(log, producer)
        await sink.publisher.publish(batch_of([1.0], slots=0))
        await sink.sets.open(SHADOW)
        await sink.ask(batch_of([1.0]).header.job_id, "log")
        await sink.work()
    assert sink.sets.tables[SHADOW].rows("coverage") == []


async def test_of_equal_requests_that_are_read_at_once_one_is_done(sink_of, batch_of):
    log = MemoryLog()
    async with log.producer() as producer:
        sink = sink_of(log, producer)
        await sink.sets.open(SHADOW)
        for _ in range(2):
            await sink.ask(batch_of([1.0]).header.job_id, "store")
        assert await sink.work() == [Done(), Skip("asked for a moment ago")]
    assert len(sink.said()) == 1
