"""A job of 500 symbols and five years of 1m: how soon it begins, and whether anything grows."""

import asyncio
import time
from datetime import UTC, datetime

from bench.report import Figure, Report
from bench.system import System
from candlelog_client import Candlelog

SYMBOLS = [f"GEN{number:03d}/USDT" for number in range(1, 501)]
RUN_SECONDS = 120
SAMPLE_SECONDS = 1.0


async def measure(system: System) -> list[Report]:
    """Submits, waits for the first request to arrive at the sandbox, and watches the memory."""
    processes = await system.processes()
    before = {name: process.memory_info().rss for name, process in processes.items()}
    peak = dict(before)
    async with Candlelog() as candlelog:
        asked_before = await _requests(system)
        began = time.monotonic()
        job = await candlelog.jobs.submit(
            exchange="binance", symbols=SYMBOLS, timeframes=["1m"],
            start=datetime(2019, 1, 1, tzinfo=UTC), end=datetime(2024, 1, 1, tzinfo=UTC),
            label="bench: 500 symbols, five years",
            features=False,
        )  # fmt: skip
        answered = time.monotonic() - began
        first = await _first_request(system, asked_before, began)
        while time.monotonic() - began < RUN_SECONDS:
            await asyncio.sleep(SAMPLE_SECONDS)
            for name, process in processes.items():
                peak[name] = max(peak[name], process.memory_info().rss)
        state = await candlelog.jobs.get(job.id)
        await candlelog.jobs.cancel(job.id)
    figures: dict[str, Figure] = {
        "chunks": state.chunks_total,
        "POST answered after, s": answered,
        "first request after the POST, s (against 2)": first,
        f"candles stored in {RUN_SECONDS} s": state.candles_stored,
    }
    growth: dict[str, Figure] = {
        f"{name}, grown by MB": round((peak[name] - before[name]) / 1e6)
        for name in sorted(processes)
    }
    return [
        Report("A job of 500 symbols and five years of 1m", figures),
        Report("Growth over it (against 100 MB for each service)", growth),
    ]


async def _first_request(system: System, asked_before: int, began: float) -> float:
    async with asyncio.timeout(60):
        while await _requests(system) == asked_before:
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def _requests(system: System) -> int:
    stats = await system.stats()
    return int(stats["requests"].get("/api/v3/klines", 0))
