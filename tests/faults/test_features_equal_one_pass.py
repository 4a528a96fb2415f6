"""Features are those of one ordered pass, whatever happened on the way.

Two sinks and two featurizers, as processes, between a real broker and a real engine. Batches come
shuffled, doubled, late, restated and with holes that are filled later; processes are killed.
"""

import asyncio
import csv
import os
import sys
import zipfile
from bisect import bisect_right
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tenacity import retry, retry_if_exception_type, stop_after_delay
from tests.faults.one_pass import differences, one_pass

from candlelog.clock import SystemClock
from candlelog.errors import Unavailable
from candlelog.events.candles import CANDLE_SCHEMA, CandleBatchHeaderV1, CandleBatchV1
from candlelog.events.codec import Message
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fields import EARLIEST, LATEST
from candlelog.events.progress import FeaturesStoredV1
from candlelog.events.replay import ReplayRequestedV1
from candlelog.events.topics import PROGRESS
from candlelog.log.kafka import KafkaLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe, from_milliseconds
from candlelog.stores.clickhouse import ClickHouse

pytestmark = [pytest.mark.connected, pytest.mark.faults, pytest.mark.timeout(3000)]

SEEDS = int(os.environ.get("CANDLELOG_FAULT_SEEDS", "1"))
HISTORIES = 4 * SEEDS
REAL_ROWS = 10_000 if SEEDS == 1 else None
"""Rows of each real market: in `make test-faults` all of them."""
SERVICES = ("clickhouse_sink", "featurizer")
REAL_DATA = Path(os.environ.get("CANDLELOG_REAL_DATA", Path(__file__).parents[3] / "shared/data"))
START_MS = 1_706_745_600_000
OBSERVED = from_milliseconds(START_MS) + timedelta(days=30)
ANSWER_SECONDS = 240

CANDLES = """
SELECT open_time, open, high, low, close, volume FROM candles_latest
WHERE exchange = {exchange:String} AND symbol = {symbol:String} AND timeframe = {timeframe:String}
ORDER BY open_time
"""
FEATURES = CANDLES.replace("open, high, low, close, volume", "* EXCEPT(open_time)").replace(
    "candles_latest", "features_latest"
)

Row = tuple[int, float, float, float, float, float]
"""Open time in milliseconds, open, high, low, close, volume."""


def batch(
    series: Series, rows: Sequence[Row], start: int, end: int, *, observed: int
) -> CandleBatchV1:
    """An answer for `[start, end)` milliseconds, read `observed` seconds after the others."""
    grid = Timeframe.parse(series.timeframe)
    first, last = from_milliseconds(start), from_milliseconds(end)
    header = CandleBatchHeaderV1(
        job_id=UUID(int=1), task_id=UUID(int=2), chunk_id=uuid4(), generation=1, release=1,
        exchange=series.exchange, symbol=series.symbol, timeframe=series.timeframe,
        start=first, end=last, slots=grid.count(first, last),
        answer="candles" if rows else "empty", feature_sets=(DEFAULT,),
        observed_at=OBSERVED + timedelta(seconds=observed),
    )  # fmt: skip
    names = CANDLE_SCHEMA.names
    values = [dict(zip(names, (*row, None, None), strict=True)) for row in rows]
    return CandleBatchV1(header, pa.RecordBatch.from_pylist(values, schema=CANDLE_SCHEMA))


def everything(series: Series) -> ReplayRequestedV1:
    """Give the series its features: whatever is stored of it has them from now on."""
    return ReplayRequestedV1(
        job_id=UUID(int=1), task_id=UUID(int=2), chunk_id=uuid4(), generation=1, release=1,
        exchange=series.exchange, symbol=series.symbol, timeframe=series.timeframe,
        start=EARLIEST, end=LATEST - timedelta(days=1), feature_set=DEFAULT,
    )  # fmt: skip


def pages(series: Series, rows: Sequence[Row], slots: int) -> Iterator[CandleBatchV1]:
    """The rows as a venue would give them, `slots` of the grid at once."""
    step = step_of(series)
    at = 0
    for start in range(rows[0][0], rows[-1][0] + step, slots * step):
        end = start + slots * step
        upto = at
        while upto < len(rows) and rows[upto][0] < end:
            upto += 1
        yield batch(series, rows[at:upto], start, end, observed=0)
        at = upto


def step_of(series: Series) -> int:
    duration = Timeframe.parse(series.timeframe).duration
    assert duration is not None
    return int(duration.total_seconds() * 1000)


@dataclass
class Pipeline:
    """The services between the log and the engine, and what the test does to them."""

    log: KafkaLog
    publisher: Publisher
    clickhouse: ClickHouse
    environment: dict[str, str]
    processes: dict[tuple[str, int], asyncio.subprocess.Process] = field(default_factory=dict)

    async def start(self, service: str, number: int) -> None:
        self.processes[service, number] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", service, env=os.environ | self.environment
        )

    @retry(retry=retry_if_exception_type(Unavailable), stop=stop_after_delay(ANSWER_SECONDS))
    async def publish(self, *messages: Message) -> None:
        """Publish, again where a busy broker takes its time: what comes twice changes nothing."""
        await self.publisher.publish(*messages)

    async def kill_and_start_again(self, service: str, number: int) -> None:
        process = self.processes[service, number]
        process.kill()
        await process.wait()
        await self.start(service, number)

    async def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        await asyncio.gather(*(process.wait() for process in self.processes.values()))

    async def answered(self, batches: Sequence[CandleBatchV1]) -> None:
        """Wait until the features of every batch were said to be stored."""
        waiting = {each.header.chunk_id for each in batches}
        topic = PROGRESS.full_name(self.environment["CANDLELOG_TOPIC_PREFIX"])
        async with (
            asyncio.timeout(ANSWER_SECONDS),
            self.log.tail([topic], start="beginning") as tail,
        ):
            while waiting:
                for record in await tail.poll(max_records=1000, timeout=0.2):
                    event = receive(record).event
                    if isinstance(event, FeaturesStoredV1):
                        waiting.discard(event.chunk_id)

    async def wrong(self, series: Series) -> dict[str, int]:
        """Compare what is readable with one pass over the stored candles."""
        names = {
            "exchange": series.exchange, "symbol": series.symbol, "timeframe": series.timeframe,
        }  # fmt: skip
        candles = await self.clickhouse.query_arrow(CANDLES, **names)
        features = await self.clickhouse.query_arrow(FEATURES, **names)
        assert candles.column("open_time").equals(features.column("open_time"))
        return differences(
            features, one_pass(candles, step_of(series)), candles.column("close").to_numpy()
        )


@asynccontextmanager
async def running(bootstrap: str, prefix: str, url: str) -> AsyncGenerator[Pipeline]:
    log, clickhouse = KafkaLog(bootstrap), ClickHouse(url)
    async with log.producer() as producer:
        pipeline = Pipeline(
            log,
            Publisher(producer, source="test", clock=SystemClock(), topic_prefix=prefix),
            clickhouse,
            {
                "CANDLELOG_KAFKA_BOOTSTRAP": bootstrap,
                "CANDLELOG_CLICKHOUSE_URL": url,
                "CANDLELOG_TOPIC_PREFIX": prefix,
            },
        )
        try:
            for service in SERVICES:
                for number in range(2):
                    await pipeline.start(service, number)
            yield pipeline
        finally:
            await pipeline.stop()
            await clickhouse.close()


@pytest.fixture
async def pipeline(
    kafka_bootstrap: str, topics: str, clickhouse_url: str
) -> AsyncGenerator[Pipeline]:
    async with running(kafka_bootstrap, topics, clickhouse_url) as made:
        yield made


def walk(random: Random, slots: Sequence[int], price: float) -> list[Row]:
    """Prices on a random walk from `price`; stretches without a movement among them."""
    rows: list[Row] = []
    for slot in slots:
        moved = 1.0 if slot // 300 % 4 else random.uniform(0.98, 1.02)
        opens, price = price, price * moved
        low, high = min(opens, price), max(opens, price)
        spread = 1 + random.random() * 0.01 if moved != 1.0 else 1.0
        rows.append(
            (START_MS + slot * 60_000, opens, high * spread, low / spread, price, slot % 5 * 1.5)
        )
    return rows


def price_at(rows: Sequence[Row], slot: int) -> float:
    """The close at the slot, or the last one before it."""
    place = bisect_right(rows, START_MS + slot * 60_000, key=itemgetter(0))
    return rows[max(0, place - 1)][4]


def history(series: Series, random: Random) -> list[CandleBatchV1]:
    """Batches that cover some days: with holes, filled and restated, in any order, some twice.

    A restatement begins near the price that stands there, as a venue's correction does. From an
    unrelated one the price could fall to less than a thirtieth within W rows, where EMA 200 over
    the last W rows, which is what is asked for, is not that of one pass within the tolerance.
    """
    total = random.randint(2_500, 6_000)
    dense = random.random() < 0.5
    slots = [slot for slot in range(total) if dense or random.random() < 0.8]
    rows = walk(random, slots, random.uniform(0.01, 50_000))
    found = list(pages(series, rows, random.choice([250, 500, 1000])))
    for _ in range(random.randint(1, 4)):  # restated, also by answers that come late
        first = random.randrange(total)
        until = min(total, first + random.randint(1, 400))
        near = price_at(rows, first) * random.uniform(0.95, 1.05)
        again = walk(random, range(first, until), near)
        end = again[-1][0] + 60_000
        found.append(batch(series, again, again[0][0], end, observed=random.choice([-5, 5, 9])))
    random.shuffle(found)
    return found + random.sample(found, k=min(3, len(found)))


@settings(
    max_examples=HISTORIES,
    phases=[Phase.generate],  # a history is told by its seed, and takes seconds: none is shrunk
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32))
async def test_whatever_happens_on_the_way_features_equal_one_pass(pipeline: Pipeline, seed: int):
    random = Random(seed)
    series = Series("binance", f"S{uuid4().hex[:8]}/USDT", "1m")
    batches = history(series, random)
    cut = random.randrange(len(batches))
    await pipeline.publish(everything(series), *batches[:cut])
    await asyncio.sleep(random.uniform(0.0, 1.0))  # any moment is a good one to be killed
    await pipeline.kill_and_start_again(random.choice(SERVICES), random.randrange(2))
    await pipeline.publish(*batches[cut:])
    await pipeline.answered(batches)
    assert await pipeline.wrong(series) == {}


def kraken_hours() -> list[Row]:
    with (REAL_DATA / "kraken/XBTUSD_60.csv").open() as file:
        return [
            (int(time) * 1000, *map(float, prices[:5]))  # pyright: ignore[reportReturnType]
            for time, *prices in csv.reader(file)
        ]


def binance_month(symbol: str) -> list[Row]:
    folder = REAL_DATA / f"binance/futures/um/monthly/klines/{symbol}/1m"
    with zipfile.ZipFile(folder / f"{symbol}-1m-2024-02.zip") as archive:
        (name,) = archive.namelist()
        lines = archive.read(name).decode().splitlines()[1:]
    return [(int(time), *map(float, prices[:5])) for time, *prices in csv.reader(lines)]  # pyright: ignore[reportReturnType]


REAL = {
    Series("kraken", "BTC/USD", "1h"): (kraken_hours, 720),
    **{
        Series("binanceusdm", f"{name}/USDT:USDT", "1m"): (
            lambda name=name: binance_month(f"{name}USDT"), 1000,
        )
        for name in ("NEAR", "AVAX", "FIL")
    },
}  # fmt: skip


@pytest.mark.skipif(not REAL_DATA.exists(), reason=f"no real market data at {REAL_DATA}")
async def test_features_of_real_markets_equal_one_pass(pipeline: Pipeline):
    random = Random(1)
    sent: list[CandleBatchV1] = []
    for series, (read, slots) in REAL.items():
        sent += pages(series, read()[:REAL_ROWS], slots)
    random.shuffle(sent)
    await pipeline.publish(*map(everything, REAL))
    await pipeline.publish(*sent[: len(sent) // 2])
    await pipeline.kill_and_start_again("featurizer", 0)
    await pipeline.publish(*sent[len(sent) // 2 :])
    await pipeline.answered(sent)
    assert {series.text: await pipeline.wrong(series) for series in REAL} == {
        series.text: {} for series in REAL
    }
