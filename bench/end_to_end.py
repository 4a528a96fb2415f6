"""Candles a second from POST to the last row readable, beside a plain script on the same engine."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psutil

from bench.plain_script import fetch_and_store
from bench.report import Figure, Report
from bench.system import System
from candlelog_client import Candlelog

SYMBOLS = [f"GEN{number:03d}/USDT" for number in range(1, 9)]
START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 60
EXPECTED = len(SYMBOLS) * DAYS * 1440


async def measure(system: System) -> list[Report]:
    """Both sides in turn, twice; the better run of each counts, so that neither pays for warmth."""
    ours, plain, busy = 0.0, 0.0, {}
    for turn in range(2):
        plain = max(plain, await _plain(system, turn))
        rate, cpu = await _ours(system, turn)
        if rate > ours:
            ours, busy = rate, cpu
    figures: dict[str, Figure] = {
        "candles": EXPECTED,
        "Candlelog, candles/s": round(ours),
        "plain script, candles/s": round(plain),
        "ratio": ours / plain,
    }
    shares = {
        f"{name}, CPU ms per 1,000 candles": 1e6 * seconds / EXPECTED
        for name, seconds in sorted(busy.items(), key=lambda item: -item[1])
    }
    return [
        Report("End to end: POST to the last row readable", figures),
        Report("Where the processor time goes in that run", shares),
    ]


async def warm_up() -> None:
    """One small job, so that markets are known and an allocator stands before a clock runs."""
    async with Candlelog() as candlelog:
        job = await candlelog.jobs.submit(
            exchange="binance", symbols=["SYNA/USDT"], timeframes=["1h"],
            start=START, end=START + timedelta(days=1), label="bench: warm-up",
            features=False,
        )  # fmt: skip
        async for _ in candlelog.jobs.watch(job.id):
            pass


async def _plain(system: System, turn: int) -> float:
    start = START + timedelta(days=turn * DAYS)
    began = time.monotonic()
    stored = await fetch_and_store(
        system.sandbox_url,
        system.clickhouse_url,
        SYMBOLS,
        start=start,
        end=start + timedelta(days=DAYS),
    )
    if stored != EXPECTED:
        raise RuntimeError(f"the plain script stored {stored} of {EXPECTED} candles")
    return EXPECTED / (time.monotonic() - began)


async def _ours(system: System, turn: int) -> tuple[float, dict[str, float]]:
    processes = await system.processes()
    before = _cpu(processes)
    start = START + timedelta(days=turn * DAYS)
    async with Candlelog() as candlelog:
        began = time.monotonic()
        job = await candlelog.jobs.submit(
            exchange="binance", symbols=SYMBOLS, timeframes=["1m"],
            start=start, end=start + timedelta(days=DAYS), label="bench: end to end",
            features=False,
        )  # fmt: skip
        async for state in candlelog.jobs.watch(job.id):
            job = state
        seconds = time.monotonic() - began
    if (job.status, job.candles_stored) != ("completed", EXPECTED):
        raise RuntimeError(f"the job is {job.status} with {job.candles_stored} candles")
    spent = {name: seconds - before[name] for name, seconds in _cpu(processes).items()}
    return EXPECTED / seconds, spent


def _cpu(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """Seconds each has used, with its children: Postgres works in those."""
    return {
        name: sum(_used(each) for each in (process, *process.children(recursive=True)))
        for name, process in processes.items()
    }


def _used(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user + times.system
    return 0.0
