"""What a rebuild takes: candles that are stored already, from the topic through the shadow."""

import time
from datetime import UTC, datetime, timedelta

from bench.report import Report
from bench.system import System
from candlelog_client import Candlelog, Job
from candlelog_client.candle_replays import CandleReplay

SYMBOLS = [f"GEN{number:03d}/USDT" for number in range(157, 165)]
START = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 30
ROWS = len(SYMBOLS) * DAYS * 1440


async def measure(system: System) -> list[Report]:
    """Store candles, rebuild all that the topic holds, and replay the features of these."""
    del system
    async with Candlelog() as candlelog:
        stored = await _timed(
            candlelog,
            await candlelog.jobs.submit(
                exchange="binance", symbols=SYMBOLS, timeframes=["1m"],
                start=START, end=START + timedelta(days=DAYS), label="bench: replay",
            ),
        )  # fmt: skip
        job = await candlelog.replays.candles()
        rebuilt = await _timed(candlelog, job)
        began = time.monotonic()
        replay = await candlelog.replays.get(job.id)
        compared = time.monotonic() - began
        assert isinstance(replay, CandleReplay)
        if replay.comparison is None or replay.comparison.series_different:
            raise RuntimeError("the rebuilt candles are not those that are served")
        await candlelog.replays.close(job.id)
        features = await _timed(
            candlelog, await candlelog.replays.features("binance", SYMBOLS, ["1m"])
        )
    rows = replay.job.candles_stored
    return [
        Report(
            "Replays: POST to completed",
            {
                "candles of a job with features": ROWS,
                "candles stored and featurized by it, candles/s": round(ROWS / stored),
                "candles rebuilt (all that the topic holds)": rows,
                "candles through the shadow, rows/s": round(rows / rebuilt),
                "compared with what is served, rows/s": round(rows / compared),
                "features replayed, rows/s": round(ROWS / features),
            },
        )
    ]


async def _timed(candlelog: Candlelog, job: Job) -> float:
    """Seconds until the job, which was submitted just now, is completed."""
    began = time.monotonic()
    async for state in candlelog.jobs.watch(job.id):
        job = state
    if job.status != "completed":
        raise RuntimeError(f"the job is {job.status}")
    return time.monotonic() - began
