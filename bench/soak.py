"""`python -m bench.soak`: all faults that the sandbox knows (`FAULTS`), at random, for ten minutes.

What is stored in the end is compared, slot by slot, with what the sandbox gives once it is whole
again. A slot without its candle must be explained by a quarantined row, by coverage or by a gap.
Every kind of fault must have struck, and most candles must have come through all the same.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
from rich.console import Console

from bench.report import Figure, Held, Report, conclude
from bench.system import System, running_system
from bench.venue import KLINES
from candlelog.market.ranges import TimeRange, overlap
from candlelog.market.timeframe import Timeframe
from candlelog_client import Candlelog, Job
from candlelog_client.results import Task
from candlelog_client.stored import Gap
from candlelog_embedded.sandbox.faults import FAULTS

CONSOLE = Console()
SYMBOLS = [f"GEN{number:03d}" for number in range(1, 26)]
FRAMES = ("1m", "5m")
START = datetime(2024, 2, 1, tzinfo=UTC)
PAGE, PAGES = 1000, 3
SHORTENED = {"429": 1.0, "418": 1.0}
"""Seconds of faults that stop everybody."""
COUNTED = {"429-bare": 2}
"""How often a fault strikes at the most: after this one, which tells no time, everybody waits for a
minute, and would for nearly all of the ten."""
LEAST_STORED = 0.5
COLUMNS = ("open", "high", "low", "close", "volume", "quote_volume", "trades")
PLACES = (0, 1, 2, 3, 4, 5, 7, 8)
"""Of the open time and these columns, in a row of the exchange."""


@dataclass
class Found:
    """The gaps there are, and slots of all series by what became of them."""

    gaps: list[Gap]
    slots: int = 0
    stored: int = 0
    wrong: int = 0
    unexplained: int = 0
    by_reason: Counter[str] = field(default_factory=Counter[str])


async def measure(system: System, minutes: float, random: Random) -> Report:
    """Jobs one after the other while everything goes wrong; then the comparison."""
    rules = [
        {
            "kind": kind, "probability": random.uniform(0.01, 0.05),
            "seconds": SHORTENED.get(kind), "count": COUNTED.get(kind),
        }
        for kind in FAULTS
    ]  # fmt: skip
    await system.sandbox("/_sandbox/faults", faults=rules, seed=random.randrange(1 << 30))
    loop = asyncio.get_running_loop()
    end, jobs = loop.time() + 60 * minutes, list[Job]()
    async with Candlelog() as candlelog:
        while loop.time() < end:
            jobs += await asyncio.gather(
                *(_job(candlelog, frame, len(jobs) // len(FRAMES)) for frame in FRAMES)
            )
        struck = (await system.stats())["faults"]
        state = await system.sandbox("/_sandbox/faults", faults=[])
        await system.reach(state["banned_until"])
        gaps = await _gaps(candlelog, jobs)
        rounds, found = len(jobs) // len(FRAMES), Found(gaps)
        for frame in FRAMES:
            for symbol in SYMBOLS:
                await _compare(system, candlelog, symbol, frame, rounds, found)
    figures: dict[str, Figure] = {
        "series": len(SYMBOLS) * len(FRAMES),
        "jobs": len(jobs),
        **{f"of these {how}": n for how, n in Counter(job.status for job in jobs).items()},
        "kinds of faults that struck": Held(len(struck), at_least=len(FAULTS)),
        "faults that struck": sum(struck.values()),
        "slots": found.slots,
        "candles stored": found.stored,
        "share of the slots": Held(found.stored / found.slots, at_least=LEAST_STORED),
        **{f"without a candle: {why}": count for why, count in found.by_reason.most_common()},
        "without a candle, unexplained": Held(found.unexplained, at_most=0),
        "candles that differ from the exchange's": Held(found.wrong, at_most=0),
    }
    return Report("Soak: all faults at 1 to 5 %", figures)


async def _job(candlelog: Candlelog, frame: str, number: int) -> Job:
    """The `number`-th three pages of every symbol, once the job has ended."""
    start, end = _window(frame, number, number + 1)
    job = await candlelog.jobs.submit(
        exchange="binance", symbols=[f"{symbol}/USDT" for symbol in SYMBOLS], timeframes=[frame],
        start=start, end=end, features=False, label="bench: soak",
    )  # fmt: skip
    async for state in candlelog.jobs.watch(job.id):
        job = state
    return job


async def _gaps(candlelog: Candlelog, jobs: Iterable[Job]) -> list[Gap]:
    """All gaps, once every task was audited and what it leaves is listed: tasks are audited one
    after the other, when they have ended, and gaps are listed by another way than scores."""
    async with asyncio.timeout(60):
        while True:
            tasks = [task for job in jobs async for task in candlelog.jobs.tasks(job.id)]
            gaps = [gap async for gap in candlelog.gaps(exchange="binance")]
            if all(_is_listed(task, gaps) for task in tasks):
                return gaps
            await asyncio.sleep(0.1)


def _is_listed(task: Task, gaps: Iterable[Gap]) -> bool:
    """Whether it was audited, and has a gap where something is unexplained."""
    if task.start is None or task.end is None or task.data_quality_score is None:
        return False
    if task.data_quality_score == 1:
        return True
    names, window = (task.symbol, task.timeframe), TimeRange(task.start, task.end)
    return any(
        (gap.symbol, gap.timeframe) == names and overlap(TimeRange(gap.start, gap.end), window)
        for gap in gaps
    )


def _window(frame: str, first: int, last: int) -> tuple[datetime, datetime]:
    step = PAGE * PAGES
    timeframe = Timeframe.parse(frame)
    return timeframe.advance(START, first * step), timeframe.advance(START, last * step)


async def _compare(
    system: System, candlelog: Candlelog, symbol: str, frame: str, rounds: int, found: Found
) -> None:
    start, end = _window(frame, 0, rounds)
    names = ("binance", f"{symbol}/USDT", frame)
    stored = await candlelog.candles(*names, start=start, end=end).to_arrow()
    truth = await _truth(system, symbol, frame, start, end)
    have = _milliseconds(stored)
    expected = np.searchsorted(truth[:, 0], have)
    same = np.ones(len(have), bool)
    for place, name in enumerate(COLUMNS, start=1):
        same &= stored[name].to_numpy() == truth[np.minimum(expected, len(truth) - 1), place]
    same &= truth[np.minimum(expected, len(truth) - 1), 0] == have
    found.slots += len(truth)
    found.stored += len(have)
    found.wrong += int((~same).sum())
    missing = set(np.setdiff1d(truth[:, 0].astype(np.int64), have).tolist())
    for reason, slots in (await _reasons(candlelog, names, found.gaps, (start, end))).items():
        explained = missing & slots
        found.by_reason[reason] += len(explained)
        missing -= explained
    found.unexplained += len(missing)
    if missing:
        first, last = (datetime.fromtimestamp(edge(missing) / 1000, UTC) for edge in (min, max))
        async for run in candlelog.coverage(*names, start=first, end=last + timedelta(minutes=1)):
            CONSOLE.print(f"among {len(missing)} unexplained slots of {symbol} {frame}: {run}")


async def _reasons(
    candlelog: Candlelog,
    names: tuple[str, str, str],
    gaps: Iterable[Gap],
    window: tuple[datetime, datetime],
) -> dict[str, set[int]]:
    """What speaks for a slot without a candle, and for which slots."""
    frame = Timeframe.parse(names[2])
    refused = {
        int(row.open_time.timestamp() * 1000)
        async for row in candlelog.quarantine(
            exchange=names[0], symbol=names[1], timeframe=names[2]
        )
        if row.open_time is not None
    }
    reasons: dict[str, set[int]] = {"a quarantined row": refused}
    async for run in candlelog.coverage(*names, start=window[0], end=window[1]):
        if run.state in ("outage", "no_trade"):
            slots = reasons.setdefault(f"coverage says {run.state}", set())
            slots.update(frame.open_times_ms(run.start, run.end).tolist())
    for gap in gaps:
        if (gap.exchange, gap.symbol, gap.timeframe) == names:
            slots = reasons.setdefault(f"a gap that is {gap.state}", set())
            slots.update(frame.open_times_ms(gap.start, gap.end).tolist())
    return reasons


async def _truth(
    system: System, symbol: str, frame: str, start: datetime, end: datetime
) -> np.ndarray[Any, Any]:
    """Open times and values of every candle the exchange has: shape (slots, 8)."""
    rows: list[list[float]] = []
    at, last = (int(time.timestamp() * 1000) for time in (start, end))
    async with httpx.AsyncClient(base_url=system.sandbox_url, trust_env=False) as client:
        while at < last:
            query = {
                "symbol": f"{symbol}USDT", "interval": frame, "startTime": at,
                "endTime": last - 1, "limit": PAGE,
            }  # fmt: skip
            page = (await client.get(KLINES, params=query)).raise_for_status().json()
            if not page:
                break
            rows += [[float(row[place]) for place in PLACES] for row in page]
            at = page[-1][0] + 1
    return np.array(rows)


def _milliseconds(table: pa.Table) -> np.ndarray[Any, Any]:
    return table["open_time"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64()).to_numpy()


async def soak(minutes: float, seed: int) -> Report:
    """The measurement, on a system of its own."""
    async with running_system(generated=len(SYMBOLS)) as system:
        return await measure(system, minutes, Random(seed))


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    report = asyncio.run(soak(options.minutes, options.seed))
    report.show(CONSOLE)
    conclude([report])


if __name__ == "__main__":
    main()
