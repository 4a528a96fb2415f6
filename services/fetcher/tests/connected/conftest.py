"""Fetchers as processes, against the sandbox exchange and the real broker."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from candlelog.clock import SystemClock
from candlelog.events.codec import Message
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.progress import ChunkDeferredV1, ChunkFailedV1, ChunkFetchedV1
from candlelog.log.kafka import KafkaLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition

START = datetime(2021, 1, 1, tzinfo=UTC)
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Sandbox:
    """The sandbox exchange, as a test finds it: nothing counted, no switch turned."""

    url: str

    def turn(self, switch: str, content: Mapping[str, Any]) -> None:
        body = json.dumps(content).encode()
        _DIRECT.open(f"{self.url}/_sandbox/{switch}", body).close()

    def stats(self, arrivals: int = 50_000) -> dict[str, Any]:
        with _DIRECT.open(f"{self.url}/_sandbox/stats?arrivals={arrivals}") as answer:
            return json.load(answer)

    def arrivals(self, path: str = "/api/v3/klines") -> list[int]:
        """When requests for candles arrived, in milliseconds of the sandbox's clock."""
        return [each["at"] for each in self.stats()["arrivals"] if each["path"] == path]


@dataclass
class Fetcher:
    """One fetcher process and what it has said."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def reign(self) -> UUID | None:
        """As which allocator this process grants, as it says itself; None when it says it ended."""
        lines = self.log_file.read_text().splitlines(keepends=True)
        said = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
        turns = [each for each in said if each["event"].startswith("allocator_")]
        if not turns or turns[-1]["event"] != "allocator_started":
            return None
        return UUID(turns[-1]["allocator"])


@dataclass
class Bench:
    """A log, a sandbox and fetchers; the test is the coordinator."""

    log: KafkaLog
    publisher: Publisher
    prefix: str
    sandbox: Sandbox
    start: Callable[..., Fetcher]
    job_id: UUID = field(default_factory=uuid4)

    def chunks(self, count: int, minutes: int = 1000) -> list[FetchRequestedV1]:
        """Chunks of one job, one after the other, `minutes` candles each."""
        starts = [START + timedelta(minutes=minutes * number) for number in range(count)]
        return [
            FetchRequestedV1(
                chunk_id=uuid4(),
                job_id=self.job_id,
                task_id=uuid4(),
                exchange="binance",
                symbol="SYNA/USDT",
                timeframe="1m",
                start=start,
                end=start + timedelta(minutes=minutes),
                slots=minutes,
                generation=1,
                release=1,
                attempt=1,
                max_attempts=3,
            )
            for start in starts
        ]

    async def read(self, topic: str, until: Callable[[Sequence[Message]], bool]) -> list[Message]:
        """Everything that stands on a topic now, and more until it is what the test waits for."""
        found: list[Message] = []
        async with self.log.tail([self.prefix + topic], start="beginning") as tail:
            end = await tail.end()
            while not (until(found) and _reached(await tail.positions(), end)):
                records = await tail.poll(max_records=5000, timeout=0.2)
                found += [receive(record).event for record in records]
        return found

    async def fetched(self, chunks: Sequence[FetchRequestedV1]) -> list[Message]:
        """Release the chunks, and again whichever comes back, until all are fetched."""
        waiting = {chunk.chunk_id: chunk for chunk in chunks}
        found: list[Message] = []
        async with self.log.tail([self.prefix + "progress"], start="end") as tail:
            await self.publisher.publish(*chunks)
            while waiting:
                for record in await tail.poll(max_records=1000, timeout=0.2):
                    event = receive(record).event
                    found.append(event)
                    assert not isinstance(event, ChunkFailedV1), event
                    if isinstance(event, ChunkFetchedV1):
                        waiting.pop(event.chunk_id, None)
                    # What was in the hands of a process that was killed comes again, and may be
                    # deferred after it was fetched.
                    elif isinstance(event, ChunkDeferredV1) and event.chunk_id in waiting:
                        again = waiting[event.chunk_id]
                        await self.publisher.publish(
                            again.model_copy(update={"release": event.release + 1})
                        )
        return found

    async def answered(self, chunks: Sequence[FetchRequestedV1]) -> list[Message]:
        """Release the chunks once: what was said about each."""
        said: dict[UUID, Message] = {}
        async with self.log.tail([self.prefix + "progress"], start="end") as tail:
            await self.publisher.publish(*chunks)
            while said.keys() != {chunk.chunk_id for chunk in chunks}:
                for record in await tail.poll(max_records=1000, timeout=0.2):
                    event = receive(record).event
                    assert isinstance(event, ChunkFetchedV1 | ChunkDeferredV1), event
                    said.setdefault(event.chunk_id, event)
        return list(said.values())


def _reached(positions: Mapping[Partition, int], end: Mapping[Partition, int]) -> bool:
    return all(positions[partition] >= end[partition] for partition in end)


@pytest.fixture(scope="module")
def sandbox_of_the_module() -> Generator[Sandbox]:
    """One process for all tests of a module: its start takes more than most of them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "candlelog_embedded.sandbox", "--port", "0"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    yield Sandbox(process.stdout.readline().decode().split()[-1])
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def sandbox(sandbox_of_the_module: Sandbox) -> Sandbox:
    sandbox_of_the_module.turn("reset", {})
    return sandbox_of_the_module


@pytest.fixture
async def bench(
    kafka_bootstrap: str, topics: str, sandbox: Sandbox, tmp_path: Path
) -> AsyncGenerator[Bench]:
    log = KafkaLog(kafka_bootstrap)
    environment = os.environ | {
        "CANDLELOG_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "CANDLELOG_TOPIC_PREFIX": topics,
        "CANDLELOG_EXCHANGE_URLS": f"binance={sandbox.url}",
        "FETCHER_CONCURRENCY": "8",
    }
    started: list[Fetcher] = []
    with ExitStack() as files:

        def start(**settings: str) -> Fetcher:
            log_file = tmp_path / f"fetcher-{len(started)}.log"
            said = files.enter_context(log_file.open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", "fetcher"], env=environment | settings, stderr=said
            )
            started.append(Fetcher(process, log_file))
            return started[-1]

        async with log.producer() as producer:
            publisher = Publisher(producer, source="test", clock=SystemClock(), topic_prefix=topics)
            yield Bench(log, publisher, topics, sandbox, start)
        for fetcher in started:
            fetcher.process.kill()
            fetcher.process.wait(10)
