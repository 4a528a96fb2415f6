"""`python -m bench.sink`: the sink's way from the topic to the tables, beside plain inserts.

A broker, the engine and one sink: nobody plans, fetches or computes. The batches lie on the topic
before the sink starts, and its time begins when its first flush can be read. Beside it, in the
same run, a loop over clickhouse-connect's `insert_arrow` of the same rows into the same tables, in
blocks as large as a flush; it reads no topic, checks nothing and tells nobody.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import uuid4

import numpy as np
import psutil
import pyarrow as pa
from rich.console import Console

from bench.report import Held, Report, conclude
from candlelog.clock import SystemClock
from candlelog.events.candles import CANDLE_SCHEMA, CandleBatchHeaderV1, CandleBatchV1
from candlelog.log.kafka import KafkaLog
from candlelog.log.publish import Publisher
from candlelog.log.topics_admin import apply_topics
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrations_directory
from candlelog_embedded.stack import Stack
from clickhouse_sink.domain.batches import Batch
from clickhouse_sink.domain.tables import candle_rows, coverage_rows

START = datetime(2019, 1, 1, tzinfo=UTC)
SERIES, PAGES, PAGE = 40, 75, 1000
FLUSH = 128
"""Batches of one flush at most, and so of one plain insert."""
TURNS = 4
LEAST_RATIO = 0.6
MOST_MEMORY_MB = 400


async def measure(stack: Stack, folder: Path) -> Report:
    """The sink and the plain loop in turn, twice each; the better of each counts."""
    batches, speeds, plain, memory = _batches(), list[float](), list[float](), 0.0
    url = stack.clickhouse_url.rsplit("/", 1)[0]
    for turn in range(TURNS):
        prefix = f"bench{turn}."
        await apply_topics(stack.kafka_bootstrap, prefix)
        await _publish(stack.kafka_bootstrap, prefix, batches)
        environment = {
            "CANDLELOG_KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
            "CANDLELOG_CLICKHOUSE_URL": f"{url}/sink{turn}",
            "CANDLELOG_TOPIC_PREFIX": prefix,
        }
        with _sink(environment, folder) as process:
            speed, most = await _stored(ClickHouse(f"{url}/sink{turn}"), process)
        speeds.append(speed)
        memory = max(memory, most)
        plain.append(await _inserted(f"{url}/plain{turn}", batches))
    return Report(
        "The sink: topic to tables",
        {
            "rows": PAGE * len(batches),
            "sink, rows/s": round(max(speeds)),
            "loop over insert_arrow, rows/s": round(max(plain)),
            "ratio": Held(max(speeds) / max(plain), at_least=LEAST_RATIO),
            "most memory of the sink, MB": Held(memory, at_most=MOST_MEMORY_MB),
        },
    )


def _batches() -> list[CandleBatchV1]:
    """Pages of every series, the series in turn, as fetchers bring them."""
    random = np.random.default_rng(1)
    return [
        _batch(f"S{number:02d}/USDT", START + page * timedelta(minutes=PAGE), random)
        for page in range(PAGES)
        for number in range(SERIES)
    ]


def _batch(symbol: str, start: datetime, random: np.random.Generator) -> CandleBatchV1:
    times = int(start.timestamp() * 1000) + 60_000 * np.arange(PAGE)
    low = np.round(100 * np.exp(np.cumsum(random.normal(0, 1e-3, PAGE))), 2)
    columns = [low + 0.5, low + 1.0, low, low + 0.25, np.round(random.exponential(50, PAGE), 3)]
    trades = random.integers(1, 5000, PAGE)
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array(times, CANDLE_SCHEMA.field("open_time").type),
            *(pa.array(column) for column in columns),
            pa.array(columns[3] * columns[4]),
            pa.array(trades, pa.uint32()),
        ],
        schema=CANDLE_SCHEMA,
    )
    end = start + timedelta(minutes=PAGE)
    header = CandleBatchHeaderV1(
        job_id=uuid4(), task_id=uuid4(), chunk_id=uuid4(), generation=0, release=1,
        exchange="binance", symbol=symbol, timeframe="1m", start=start, end=end, slots=PAGE,
        answer="candles", observed_at=end + timedelta(days=1),
    )  # fmt: skip
    return CandleBatchV1(header, rows)


async def _publish(bootstrap: str, prefix: str, batches: Sequence[CandleBatchV1]) -> None:
    async with KafkaLog(bootstrap).producer() as producer:
        publisher = Publisher(producer, source="bench", clock=SystemClock(), topic_prefix=prefix)
        for first in range(0, len(batches), FLUSH):
            await publisher.publish(*batches[first : first + FLUSH])


async def _stored(store: ClickHouse, process: psutil.Process) -> tuple[float, float]:
    """Rows a second between its first flush and its last, and the most megabytes it took."""
    first: tuple[int, float] | None = None
    most = 0
    while True:
        most = max(most, process.memory_info().rss)
        with contextlib.suppress(Exception):  # the tables are made by the sink
            ((pages,),) = await store.query("SELECT count() FROM coverage")
            now = time.monotonic()
            if first is None and pages:
                first = (pages, now)
            if first is not None and pages >= SERIES * PAGES:
                return PAGE * (pages - first[0]) / (now - first[1]), most / 1e6
        await asyncio.sleep(0.05)


async def _inserted(url: str, batches: Sequence[CandleBatchV1]) -> float:
    """Rows a second of the plain loop, on tables of its own."""
    store = ClickHouse(url)
    await migrate_clickhouse(store, migrations_directory("clickhouse-sink"))
    found = [Batch.of(batch) for batch in batches]
    blocks = [
        (
            pa.Table.from_batches([candle_rows(part)]),
            coverage_rows(part),
        )
        for part in (found[first : first + FLUSH] for first in range(0, len(found), FLUSH))
    ]
    began = time.monotonic()
    for candles, coverage in blocks:
        await store.insert_arrow("candles", candles)
        await store.insert_arrow("coverage", coverage)
    seconds = time.monotonic() - began
    await store.close()
    return PAGE * len(batches) / seconds


@contextlib.contextmanager
def _sink(environment: dict[str, str], folder: Path) -> Generator[psutil.Process]:
    """One sink, killed in the end: nothing of it is needed any more."""
    with (folder / "sink.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "clickhouse_sink"], env=os.environ | environment, stderr=log
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Start a broker and an engine, then measure."""
    argparse.ArgumentParser(prog="python -m bench.sink", description=__doc__).parse_args()
    stack = Stack(Random())
    try:
        with tempfile.TemporaryDirectory(prefix="candlelog-bench-") as folder:
            report = asyncio.run(measure(stack, Path(folder)))
        report.show(Console())
    finally:
        stack.stop()
    conclude([report])


if __name__ == "__main__":
    main()
