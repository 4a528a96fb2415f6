"""What features cost: jobs with and without them, and a plain loop over the same rows."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from bench.plain_features import compute_and_store
from bench.report import Figure, Report
from bench.system import System
from candlelog_client import Candlelog

FIRST, SERIES, TURNS = 61, 24, 2
START = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 30
ROWS = SERIES * DAYS * 1440


async def measure(system: System) -> list[Report]:
    """A job of candles alone, then the features of what it stored, then a job of both, then the
    plain loop; twice. The better run of each counts, so that none pays for warmth, and each begins
    once the engine has merged what the one before left."""
    runs = [await _turn(system, turn) for turn in range(TURNS)]
    off, afterwards, on, plain = (min(seconds) for seconds in zip(*runs, strict=True))
    figures: dict[str, Figure] = {
        "rows": ROWS,
        "job without features, candles/s": round(ROWS / off),
        "job with features, candles/s": round(ROWS / on),
        "with against without": off / on,
        "features of stored candles, rows/s": round(ROWS / afterwards),
        "plain loop over the same rows, rows/s": round(ROWS / plain),
        "ratio (against 0.5)": plain / afterwards,
    }
    return [Report("Features: POST to the last row readable", figures)]


async def _turn(system: System, turn: int) -> tuple[float, float, float, float]:
    """Seconds of each, on series of its own."""
    without, both = (
        [f"GEN{number:03d}/USDT" for number in range(first, first + SERIES)]
        for first in (FIRST + 2 * turn * SERIES, FIRST + (2 * turn + 1) * SERIES)
    )
    off = await _job(system, without, features=False)
    afterwards = await _job(system, without, features=True)
    on = await _job(system, both, features=True)
    await system.merged()
    began = time.monotonic()
    written = await asyncio.to_thread(compute_and_store, system.clickhouse_url, without)
    plain = time.monotonic() - began
    if written != ROWS:
        raise RuntimeError(f"the plain loop wrote {written} of {ROWS} rows")
    return off, afterwards, on, plain


async def _job(system: System, symbols: list[str], *, features: bool) -> float:
    """Seconds from POST to completed."""
    await system.merged()
    async with Candlelog() as candlelog:
        began = time.monotonic()
        job = await candlelog.jobs.submit(
            exchange="binance", symbols=symbols, timeframes=["1m"], features=features,
            start=START, end=START + timedelta(days=DAYS), label="bench: features",
        )  # fmt: skip
        async for state in candlelog.jobs.watch(job.id):
            job = state
        seconds = time.monotonic() - began
    if job.status != "completed" or (features and job.features_stored < ROWS):
        raise RuntimeError(f"the job is {job.status} with {job.features_stored} rows of features")
    return seconds
