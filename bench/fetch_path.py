"""`python -m bench.fetch_path`: the way from a request to a validated batch on the log, alone.

A broker, the sandbox without limit or latency, and fetchers: nobody plans, stores or computes.
Beside it, in the same run, a loop over ccxt's own `fetch_ohlcv`, which validates and keeps nothing.

While the processor of one fetcher is compared with that of two, what is left of the processors is
used up, at the lowest priority. Processors that share a core slow each other: a second of one that
is alone does more than a second beside others, and two fetchers would be charged with it. Speed is
compared without: whoever passes work between several processes waits longer for a busy processor.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import uuid4

import ccxt.async_support as ccxt
import psutil
from rich.console import Console

from bench.report import Figure, Held, Report, conclude
from candlelog.clock import SystemClock
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.progress import ChunkDeferredV1, ChunkFailedV1, ChunkFetchedV1
from candlelog.log.kafka import KafkaLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.topics_admin import apply_topics
from candlelog_embedded.process import free_ports
from candlelog_embedded.stack import Stack

START = datetime(2019, 1, 1, tzinfo=UTC)
SYMBOLS = [f"GEN{number:03d}/USDT" for number in range(1, 61)]
PAGE, PAGES = 1000, 1200
IN_FLIGHT = 32
TURNS = 5
"""Whoever else uses the machine adds to a turn, by chance, as much as the bounds are apart."""
WARM_UPS = 20
LEAST_SHARE = 0.25
LEAST_RATIO = 0.9
MOST_FOR_TWO = 1.15
PREFIX = "bench."
BURN = """
import os
os.nice(19)
parent = os.getppid()
while os.getppid() == parent:
    sum(range(10_000))
"""


@dataclass(frozen=True)
class Run:
    """What a number of fetchers did: seconds, seconds of their processors, and which share of the
    chunks each of them fetched."""

    seconds: float
    cpu: float
    shares: list[float]


async def measure(exchange_url: str, bootstrap: str, folder: Path) -> Report:
    """One fetcher and the plain loop in turn, for their speed; then, on busy processors, one and
    two, for what they cost. The best of `TURNS` counts."""
    plain, free, one, two = list[float](), list[Run](), list[Run](), list[Run]()
    async with _desk(bootstrap) as desk:

        async def measured(count: int, turn: int) -> Run:
            with _fetchers(count, exchange_url, bootstrap, folder) as processes:
                await _warm_up(desk, count, turn)
                return await _timed(desk, processes, turn)

        for turn in range(TURNS):
            plain.append(await _plain(exchange_url, turn))
            free.append(await measured(1, turn))
        with _busy_processors():
            for turn in range(TURNS):
                one.append(await measured(1, turn))
                two.append(await measured(2, turn))
    candles = PAGE * PAGES
    alone, both = min(one, key=lambda run: run.cpu), min(two, key=lambda run: run.cpu)
    fastest = min(run.seconds for run in free)
    least = min(share for run in two for share in run.shares)
    if least < LEAST_SHARE:
        raise RuntimeError(f"one of two fetchers did {least:.0%} of the work: it was one alone")
    figures: dict[str, Figure] = {
        "candles": candles,
        "fetcher, candles/s": round(candles / fastest),
        "loop over fetch_ohlcv, candles/s": round(candles / min(plain)),
        "ratio": Held(min(plain) / fastest, at_least=LEAST_RATIO),
        "processor of one fetcher, µs a candle": 1e6 * alone.cpu / candles,
        "processor of two, µs a candle": 1e6 * both.cpu / candles,
        "two against one": Held(both.cpu / alone.cpu, at_most=MOST_FOR_TWO),
        "chunks of the two": " and ".join(f"{share:.0%}" for share in both.shares),
    }
    return Report("The fetch path: request to validated batch on the log", figures)


class Desk:
    """Releases chunks and hears what became of them, as a coordinator does."""

    def __init__(self, log: KafkaLog, publisher: Publisher) -> None:
        self._log = log
        self._publisher = publisher

    async def fetched(self, chunks: Sequence[FetchRequestedV1]) -> Counter[str]:
        """How many of them each fetcher has fetched, once all are; one that comes back is released
        again."""
        by = Counter[str]()
        waiting = {chunk.chunk_id: chunk for chunk in chunks}
        async with self._log.tail([f"{PREFIX}progress"], start="end") as tail:
            await self._publisher.publish(*chunks)
            while waiting:
                for record in await tail.poll(max_records=1000, timeout=0.2):
                    event = receive(record).event
                    if isinstance(event, ChunkFailedV1):
                        raise RuntimeError(f"a chunk has failed: {event.message}")
                    if isinstance(event, ChunkFetchedV1):
                        by[event.fetched_by] += waiting.pop(event.chunk_id, None) is not None
                    elif isinstance(event, ChunkDeferredV1) and event.chunk_id in waiting:
                        again = waiting[event.chunk_id]
                        release = event.release + 1
                        await self._publisher.publish(again.model_copy(update={"release": release}))
        return by


@contextlib.asynccontextmanager
async def _desk(bootstrap: str) -> AsyncGenerator[Desk]:
    await apply_topics(bootstrap, PREFIX)
    log = KafkaLog(bootstrap)
    async with log.producer() as producer:
        yield Desk(
            log, Publisher(producer, source="bench", clock=SystemClock(), topic_prefix=PREFIX)
        )


async def _warm_up(desk: Desk, count: int, turn: int) -> None:
    """Have each fetcher ask for time and markets, open connections and get a part of the log."""
    seen = Counter[str]()
    for _ in range(WARM_UPS):
        seen += await desk.fetched(_requests(60, turn=90 + turn))
        if len(seen) == count:
            return
    raise RuntimeError(f"{len(seen)} of {count} fetchers work")


async def _timed(desk: Desk, processes: Sequence[psutil.Process], turn: int) -> Run:
    before = sum(map(_cpu, processes))
    began = time.monotonic()
    by = await desk.fetched(_requests(PAGES, turn=turn))
    seconds, cpu = time.monotonic() - began, sum(map(_cpu, processes)) - before
    shares = [by[name] / PAGES for name in by]
    return Run(seconds, cpu, shares + [0.0] * (len(processes) - len(shares)))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _window(number: int, turn: int) -> tuple[str, datetime, datetime]:
    """The `number`-th page of a turn: the symbols take turns."""
    page = turn * PAGES // len(SYMBOLS) + number // len(SYMBOLS)
    start = START + page * timedelta(minutes=PAGE)
    return SYMBOLS[number % len(SYMBOLS)], start, start + timedelta(minutes=PAGE)


def _requests(count: int, *, turn: int) -> list[FetchRequestedV1]:
    job_id = uuid4()
    windows = (_window(number, turn) for number in range(count))
    return [
        FetchRequestedV1(
            chunk_id=uuid4(),
            job_id=job_id,
            task_id=uuid4(),
            exchange="binance",
            symbol=symbol,
            timeframe="1m",
            start=start,
            end=end,
            slots=PAGE,
            generation=1,
            release=1,
            attempt=1,
            max_attempts=3,
        )
        for symbol, start, end in windows
    ]


@contextlib.contextmanager
def _busy_processors() -> Generator[None]:
    """Somebody on each processor who takes what others leave."""
    burning = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _fetchers(
    count: int, exchange_url: str, bootstrap: str, folder: Path
) -> Generator[list[psutil.Process]]:
    """So many fetchers, killed in the end: nothing of theirs is needed any more."""
    environment = os.environ | {
        "CANDLELOG_KAFKA_BOOTSTRAP": bootstrap,
        "CANDLELOG_TOPIC_PREFIX": PREFIX,
        "CANDLELOG_EXCHANGE_URLS": f"binance={exchange_url}",
        "FETCHER_CONCURRENCY": str(IN_FLIGHT),
    }
    with (folder / "fetchers.log").open("ab") as log:
        started = [
            subprocess.Popen([sys.executable, "-m", "fetcher"], env=environment, stderr=log)
            for _ in range(count)
        ]
    try:
        yield [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


async def _plain(exchange_url: str, turn: int) -> float:
    """Seconds of a loop over ccxt's own call for the same pages, as many at once."""
    exchange = ccxt.binance(
        {"enableRateLimit": False, "options": {"fetchMarkets": {"types": ["spot"]}}}
    )
    exchange.urls["api"]["public"] = f"{exchange_url}/api/v3"
    pages = iter(range(PAGES))

    async def work() -> int:
        rows = 0
        for number in pages:
            symbol, start, end = _window(number, turn)
            until = {"until": int(end.timestamp() * 1000) - 1}
            since = int(start.timestamp() * 1000)
            rows += len(await exchange.fetch_ohlcv(symbol, "1m", since, PAGE, until))
        return rows

    try:
        await exchange.load_markets()
        began = time.monotonic()
        rows = sum(await asyncio.gather(*(work() for _ in range(IN_FLIGHT))))
        seconds = time.monotonic() - began
    finally:
        await exchange.close()
    if rows != PAGE * PAGES:
        raise RuntimeError(f"the plain loop got {rows} of {PAGE * PAGES} candles")
    return seconds


def main() -> None:
    """Start a broker and a sandbox, then measure."""
    argparse.ArgumentParser(prog="python -m bench.fetch_path", description=__doc__).parse_args()
    (port,) = free_ports(1, Random())
    sandbox = subprocess.Popen(
        [sys.executable, "-m", "candlelog_embedded.sandbox", "--port", str(port), "--generated",
         str(len(SYMBOLS)), "--capacity", "none"], stdout=subprocess.PIPE,
    )  # fmt: skip
    stack = Stack(Random())
    try:
        assert sandbox.stdout is not None
        url = sandbox.stdout.readline().decode().split()[-1]
        with tempfile.TemporaryDirectory(prefix="candlelog-bench-") as folder:
            report = asyncio.run(measure(url, stack.kafka_bootstrap, Path(folder)))
        report.show(Console())
    finally:
        stack.stop()
        sandbox.terminate()
        sandbox.wait()
    conclude([report])


if __name__ == "__main__":
    main()
