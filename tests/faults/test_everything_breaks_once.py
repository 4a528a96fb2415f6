"""One job on one stack: every process is killed once, and each store is away for 30 s.

What is stored in the end, and what the projection says of it, is what an undisturbed run leaves.
Order and moments are drawn from a seed; `CANDLELOG_FAULT_SEEDS` says how many seeds to run.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx
import numpy as np
import psutil
import pyarrow as pa
import pytest
from tests.sandbox import sandbox_of

from candlelog.stores.clickhouse import ClickHouse
from candlelog_client.client import Candlelog
from candlelog_client.connection import read_environment_file
from candlelog_client.errors import ClientError
from candlelog_client.results import Job
from candlelog_embedded.system import ps

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

SEEDS = range(int(os.environ.get("CANDLELOG_FAULT_SEEDS", "1")))
SERVICES = ("coordinator", "fetcher", "clickhouse-sink", "featurizer", "gap-auditor", "status-api")
STORES = ("broker", "postgres", "clickhouse")
OUTAGE_SECONDS = 30
SLOW_MS, FAST_MS = 6000, 0
# So that one fetcher does not send the last of 66 before all disturbances are over; it gives up on
# an answer that takes 10 s.
REQUESTS_AT_ONCE = 2
FINISH_SECONDS = 480
SYMBOLS = ["SYNA/USDT", "GEN001/USDT", "GEN002/USDT"]
REQUEST = {"timeframes": ["1m", "1h"], "start": "2024-02-01", "end": "2024-02-15"}
# The sandbox's futures have the candles of its spot market, so one system holds both runs.
DISTURBED = {"exchange": "binance", "symbols": SYMBOLS, **REQUEST}
UNDISTURBED = {
    "exchange": "binanceusdm", "symbols": [f"{symbol}:USDT" for symbol in SYMBOLS], **REQUEST,
}  # fmt: skip

CANDLES = """
SELECT splitByChar(':', symbol)[1] AS name, timeframe, open_time, open, high, low, close, volume,
    quote_volume, trades, source
FROM candles_latest WHERE exchange = {exchange:String} ORDER BY name, timeframe, open_time
"""
FEATURES = """
SELECT splitByChar(':', symbol)[1] AS name, * EXCEPT(exchange, symbol, version)
FROM features_latest WHERE exchange = {exchange:String} ORDER BY name, timeframe, open_time
"""
# Where ranges are cut may differ: what is compared is which slots are covered and by what answer.
COVERED_SLOTS = """
SELECT DISTINCT splitByChar(':', symbol)[1] AS name, timeframe, source, outcome,
    arrayJoin(range(toUInt32(toUnixTimestamp(start)), toUInt32(toUnixTimestamp(end)), 60)) AS slot
FROM coverage WHERE timeframe = '1m' AND exchange = {exchange:String} ORDER BY ALL
"""
COVERED_ENDS = """
SELECT splitByChar(':', symbol)[1] AS name, timeframe, source, outcome,
    min(start) AS first, max(end) AS last
FROM coverage WHERE exchange = {exchange:String} GROUP BY ALL ORDER BY ALL
"""
# A range may be read twice around a restart, and the answers may come in the other order: the
# earlier one is kept for reads as of then (decision 0005). A value that differs is none of these.
VALUES = """
    exchange, symbol, timeframe, open_time, open, high, low, close, volume, quote_volume, trades
"""
OTHERS = f"""
SELECT
    (SELECT count() FROM
        (SELECT {VALUES} FROM candle_revisions EXCEPT SELECT {VALUES} FROM candles_latest)),
    (SELECT count() FROM quarantine)
"""


Replica = tuple[str, int]
"""A service and the number of one of its processes."""


@dataclass(frozen=True)
class Stored:
    """What a run left in ClickHouse."""

    candles: pa.Table
    features: pa.Table
    covered_slots: pa.Table
    covered_ends: pa.Table
    restated_and_quarantined: list[tuple[object, ...]]


class Running:
    """A system under test, reached as a user and as an operator reach it."""

    def __init__(self, client: Candlelog, data_dir: Path) -> None:
        self.client = client
        self._state = data_dir
        self._environment = read_environment_file(data_dir / "candlelog.env")

    async def processes(self) -> dict[Replica, int]:
        rows = await asyncio.to_thread(ps, self._state)
        return {(row.service, row.replica): row.pid for row in rows if row.pid}

    async def latency(self, milliseconds: float) -> None:
        async with sandbox_of(self._state) as sandbox:
            await sandbox.turn("latency", milliseconds=milliseconds)

    async def stored(self, exchange: str) -> Stored:
        engine = ClickHouse(self._environment["CANDLELOG_CLICKHOUSE_URL"])
        try:
            return Stored(
                *[
                    await engine.query_arrow(sql, exchange=exchange)
                    for sql in (CANDLES, FEATURES, COVERED_SLOTS, COVERED_ENDS)
                ],
                await engine.query(OTHERS),
            )
        finally:
            await engine.close()

    async def finished(self, job_id: str) -> Job:
        async with asyncio.timeout(FINISH_SECONDS):
            async for job in self.states(job_id):
                if job.finished:
                    return job
        raise AssertionError("the feed ended before the job")

    async def states(self, job_id: str) -> AsyncIterator[Job]:
        while True:
            with suppress(ClientError):  # the API may be down for a moment
                yield await self.client.jobs.get(job_id)
            await asyncio.sleep(0.5)


async def undisturbed(running: Running) -> Stored:
    job = await running.finished((await running.client.jobs.submit(**UNDISTURBED)).id)
    assert job.status == "completed"
    return await running.stored(UNDISTURBED["exchange"])


async def repeated(call: Callable[[], Awaitable[object]], seconds: float = 120) -> None:
    """Call until it succeeds: what it talks to has just been killed."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                await call()
                return
            except httpx.HTTPError:
                await asyncio.sleep(0.2)


async def kill_each_once(running: Running, random: Random) -> list[Replica]:
    victims = sorted(await running.processes())
    random.shuffle(victims)
    for victim in victims:
        await asyncio.sleep(random.uniform(0.2, 3.0))
        pid = (await running.processes()).get(victim)
        assert pid is not None, f"{victim} is not running"
        psutil.Process(pid).kill()
        if victim == ("sandbox", 0):  # its switches are forgotten with it
            await repeated(lambda: running.latency(SLOW_MS))
    return victims


async def take_away(running: Running, service: str, seconds: float) -> None:
    root = psutil.Process((await running.processes())[service, 0])
    family = [root, *root.children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        await asyncio.sleep(seconds)
    finally:
        for process in reversed(family):
            with suppress(psutil.NoSuchProcess):
                process.resume()


def features_equal(actual: pa.Table, expected: pa.Table) -> bool:
    """The same rows, and values that are as near as two passes over the same candles can be: how
    far back a pass began differs with what was computed together."""
    keys = ["name", "timeframe", "open_time", "feature_set"]
    if not actual.select(keys).equals(expected.select(keys)):
        return False
    names = [name for name in expected.column_names if name not in keys]
    return all(
        np.allclose(
            actual.column(name).to_numpy(), expected.column(name).to_numpy(),
            rtol=1e-9, atol=1e-7, equal_nan=True,
        )
        for name in names
    )  # fmt: skip


@pytest.fixture(scope="module")
def reference() -> dict[str, Stored]:
    """What the undisturbed run left, made once for all seeds."""
    return {}


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_job_survives_the_death_of_every_process_and_the_absence_of_every_store(
    seed: int, launch, data_dir: Path, reference: dict[str, Stored], monkeypatch
):
    monkeypatch.setenv("FETCHER_CONCURRENCY", str(REQUESTS_AT_ONCE))
    random = Random(seed)
    async with launch(data_dir, "--sandbox") as client:
        running = Running(client, data_dir)
        expected = reference.get("stored") or await undisturbed(running)
        reference["stored"] = expected
        job = await client.jobs.submit(**DISTURBED)
        await running.latency(SLOW_MS)
        killed = await kill_each_once(running, random)
        for store in random.sample(STORES, len(STORES)):
            await take_away(running, store, OUTAGE_SECONDS)
            await asyncio.sleep(random.uniform(1.0, 4.0))
        halfway = await anext(running.states(job.id))
        await running.latency(FAST_MS)
        job = await running.finished(job.id)
        actual = await running.stored(DISTURBED["exchange"])

    assert {service for service, _ in killed} >= {*STORES, *SERVICES}
    assert not halfway.finished, "the job ended before the last disturbance: nothing was shown"
    assert job.status == "completed"
    assert actual.candles.equals(expected.candles)
    assert features_equal(actual.features, expected.features)
    assert actual.covered_slots.equals(expected.covered_slots)
    assert actual.covered_ends.equals(expected.covered_ends)
    assert actual.restated_and_quarantined == expected.restated_and_quarantined == [(0, 0)]
    assert job.candles_stored == actual.candles.num_rows == actual.features.num_rows
    assert (job.chunks_done, job.chunks_failed) == (job.chunks_total, 0)
