"""Faust on the real broker: nothing is acknowledged that is not done."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from candlelog.clock import SystemClock
from candlelog.errors import Fatal
from candlelog.events.jobs import ListMarketsV1
from candlelog.events.topics import DEAD_LETTERS, JOBS_COMMANDS, Topic
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.handling import Handling
from candlelog.log.kafka import KafkaLog
from candlelog.log.outcome import Done, Outcome, Reject
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Received
from candlelog.telemetry import CONSUMER_LAG
from featurizer.adapters import faust_stream
from featurizer.adapters.faust_stream import FaustStream
from featurizer.adapters.gathering import Gathering, Taken

pytestmark = pytest.mark.connected

NOW = datetime(2024, 3, 1, tzinfo=UTC)


class Open:
    """A barrier that everything has passed."""

    async def passed(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Nothing is waited for."""

    def position(self, topic: str, partition: int) -> int:
        """Behind everything."""
        return 2**63


class Bench:
    """A topic with events on it, and streams that read it in one group, one after the other."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap, self.prefix = bootstrap, prefix
        self.reads_from = bootstrap
        self.log = KafkaLog(bootstrap)
        self.topic = f"{prefix}jobs.commands"

    async def publish(self, *names: str) -> None:
        async with self.log.producer() as producer:
            publisher = self._publisher(producer)
            await publisher.publish(
                *(ListMarketsV1(exchange=name, requested_at=NOW) for name in names)
            )

    async def run(
        self, handle, stopping: asyncio.Event, gathering: Gathering | None = None
    ) -> None:
        """One stream, from its start to its end."""
        gathering = gathering or Gathering(Open(), self.prefix, most=100, seconds=0.05)
        async with self.log.producer() as producer:
            letters = DeadLetters(self._publisher(producer), service="featurizer", version="1")
            stream = FaustStream(
                self.reads_from,
                f"{self.prefix}featurizer",
                [self.topic],
                Handling(handle, letters, clock=SystemClock(), rejects_limit=3),
                clock=SystemClock(),
                gathering=gathering,
            )
            async with asyncio.timeout(240):
                await stream.run(stopping)

    def _publisher(self, producer) -> Publisher:
        return Publisher(
            producer, source="featurizer", clock=SystemClock(), topic_prefix=self.prefix
        )


class Reader:
    """A handler that remembers what it got, and says `enough` when it has seen so many."""

    def __init__(self, enough: int, outcome: Outcome | None = None) -> None:
        self.seen: list[str] = []
        self.stopping = asyncio.Event()
        self._enough = enough
        self._outcome = outcome or Done()

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        self.seen += [item.event.key for item in received]
        if len(self.seen) >= self._enough:
            self.stopping.set()
        return [self._outcome] * len(received)


@pytest.fixture
def topic_table() -> Sequence[Topic]:
    return (JOBS_COMMANDS, DEAD_LETTERS)


@pytest.fixture
def bench(kafka_bootstrap: str, topics: str) -> Bench:
    return Bench(kafka_bootstrap, topics)


async def test_what_is_done_is_not_read_again(bench: Bench):
    await bench.publish("one", "two")
    first = Reader(2)
    await bench.run(first, first.stopping)
    await bench.publish("three")
    second = Reader(1)
    await bench.run(second, second.stopping)
    assert (sorted(first.seen), second.seen) == (["one", "two"], ["three"])


async def test_its_lag_is_a_metric(bench: Bench):
    await bench.publish("one", "one", "one")
    stopping, lags = asyncio.Event(), list[float]()

    async def look(received: Sequence[Received]) -> Sequence[Outcome]:
        (gauge,) = CONSUMER_LAG.collect()
        lags.extend(each.value for each in gauge.samples if each.labels["topic"] == bench.topic)
        if len(lags) == 2:
            stopping.set()
        return [Done()] * len(received)

    await bench.run(look, stopping, Gathering(Open(), bench.prefix, most=1, seconds=0.05))
    assert lags == [2, 1]


async def test_nothing_is_left_where_it_was_started(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    await bench.publish("one")
    reader = Reader(1)
    await bench.run(reader, reader.stopping)
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_an_error_in_the_handler_ends_the_stream_and_the_events_come_again(bench: Bench):
    await bench.publish("one", "two")

    async def divide(received: Sequence[Received]) -> Sequence[Outcome]:
        raise ZeroDivisionError("a bug in an indicator")

    with pytest.raises(ZeroDivisionError):
        await bench.run(divide, asyncio.Event())
    again = Reader(2)
    await bench.run(again, again.stopping)
    assert sorted(again.seen) == ["one", "two"]


async def test_events_in_hand_at_a_stop_come_again(bench: Bench):
    await bench.publish("one", "two")
    stopping = asyncio.Event()

    async def wait_for_ever(received: Sequence[Received]) -> Sequence[Outcome]:
        stopping.set()
        await asyncio.Event().wait()
        return []

    await bench.run(wait_for_ever, stopping)
    again = Reader(2)
    await bench.run(again, again.stopping)
    assert sorted(again.seen) == ["one", "two"]


async def test_a_refused_event_is_buried_and_the_next_one_read(bench: Bench):
    await bench.publish("bad")
    refusing = Reader(1, Reject("no good"))
    await bench.run(refusing, refusing.stopping)
    await bench.publish("good")
    reading = Reader(1)
    await bench.run(reading, reading.stopping)
    assert reading.seen == ["good"]
    async with bench.log.tail([f"{bench.prefix}dead-letters"], start="beginning") as tail:
        (letter,) = await tail.poll(max_records=10, timeout=10.0)
    assert receive(letter).event.key == "bad"
    assert dict(letter.headers)["reason"] == b"no good"


MEMBER = """
import asyncio, sys
from candlelog.log.outcome import Done
from services.featurizer.tests.connected.test_faust_stream import Bench

async def handle(received):
    print(*(item.event.key for item in received), flush=True)
    return [Done()] * len(received)

asyncio.run(Bench(sys.argv[1], sys.argv[2]).run(handle, asyncio.Event()))
"""


async def test_who_was_killed_leaves_its_partitions_to_the_others_long_before_a_minute(
    bench: Bench,
):
    await bench.publish("one")
    member = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MEMBER, bench.bootstrap, bench.prefix, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert member.stdout is not None
        assert await member.stdout.readline() == b"one\n"
    finally:
        member.kill()
        await member.wait()
    await bench.publish("two")
    read = asyncio.Event()

    async def handle(received: Sequence[Received]) -> Sequence[Outcome]:
        if "two" in {item.event.key for item in received}:
            read.set()
        return [Done()] * len(received)

    async with asyncio.timeout(240):
        await bench.run(handle, read)
    assert read.is_set()


class Stuck(Gathering):
    """Takes one record, and no other ever."""

    def __init__(self, prefix: str) -> None:
        super().__init__(Open(), prefix, most=100, seconds=0.05)
        self._taken = False

    async def put(self, taken: Taken) -> None:
        """Never returns from the second call on."""
        if self._taken:
            await asyncio.Event().wait()
        self._taken = True
        await super().put(taken)


async def test_a_stream_that_finds_a_broker_which_does_not_answer_ends(bench: Bench, monkeypatch):
    monkeypatch.setattr(faust_stream, "_JOIN_SECONDS", 1.0)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        bench.reads_from = "127.0.0.1:{1}".format(*silent.sockets[0].getsockname())
        with pytest.raises(Fatal, match="no partitions for 1 s"):
            await bench.run(Reader(1), asyncio.Event())


async def test_a_stream_that_has_gone_silent_ends(bench: Bench, monkeypatch):
    monkeypatch.setattr("candlelog.log.kafka.watchdog._LOOK_SECONDS", 0.5)
    monkeypatch.setattr("candlelog.log.kafka.watchdog._STARVED_SECONDS", 2.0)
    await bench.publish("one", "one")
    stopping = asyncio.Event()
    with pytest.raises(Fatal, match="silent"):
        await bench.run(Reader(3), stopping, Stuck(bench.prefix))
    assert stopping.is_set()
