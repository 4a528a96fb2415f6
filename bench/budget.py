"""`python -m bench.budget`: how much of the budget of an exchange is used, and whether ever more.

The sandbox counts requests as they arrive, by calendar minute, whatever Candlelog thinks of them.
"""

import argparse
import asyncio
import math
from dataclasses import dataclass
from datetime import timedelta

import httpx
from rich.console import Console

from bench import end_to_end
from bench.report import Figure, Held, Report, conclude
from bench.system import System, running_system
from bench.venue import CAPACITY, KLINES, KLINES_WEIGHT, MINUTE_MS, START, SYMBOLS, limits
from candlelog_client import Candlelog

SMALL_PAGE = 100
FULL_PAGE = 1000
LEAST_USE, LEAST_BESIDE = 0.97, 0.9


@dataclass(frozen=True)
class Load:
    """What is asked of the system: pages of so many rows, beside so much weight a second of others,
    for so many full minutes."""

    page_rows: int
    foreign: float
    minutes: int


async def measure(fetchers: int, load: Load) -> Report:
    """The weight that arrived in each full calendar minute of a run."""
    replicas = ("--replicas", f"fetcher={fetchers}")
    async with running_system(generated=500, sandbox_flags=limits(), up_flags=replicas) as system:
        await end_to_end.warm_up()
        async with Candlelog() as candlelog, asyncio.TaskGroup() as group:
            # The first minute of others teaches the fetchers that there are some.
            taught = await system.next_minute() + MINUTE_MS if load.foreign else 0
            others = group.create_task(_others(system, load.foreign))
            await submit(candlelog, load)
            first = await system.next_minute()
            await system.reach(first + load.minutes * MINUTE_MS + 1000)
            weights = await system.weights(first, load.minutes)
            refused = await _refused(system, taught)
            others.cancel()
            stored = sum([each.candles_stored async for each in candlelog.jobs.list()])
    ours = CAPACITY - load.foreign * 60
    used = [(weight - load.foreign * 60) / ours for weight in weights]
    at_least, of_what = (
        (LEAST_BESIDE, ", of what others leave") if load.foreign else (LEAST_USE, "")
    )
    # The machine may be the limit of full pages.
    full = load.page_rows > SMALL_PAGE
    least = min(used) if full else Held(min(used), at_least=at_least)
    counted = "from the second minute of others on" if load.foreign else "from the beginning"
    figures: dict[str, Figure] = {
        "full minutes": load.minutes,
        f"least use of a minute{of_what}": least,
        "use over all of them": sum(used) / load.minutes,
        "most weight in one minute": Held(max(weights), at_most=CAPACITY),
        f"429 and 418, of anybody, {counted}": Held(refused, at_most=0),
        "candles stored": stored,
    }
    others = f", {load.foreign:g} weight/s of others" if load.foreign else ""
    return Report(f"Budget: {fetchers} fetchers, pages of {load.page_rows} rows{others}", figures)


async def submit(candlelog: Candlelog, load: Load) -> None:
    """Enough work for the run and what lies before and after it: a page for each symbol a job."""
    requests = CAPACITY / KLINES_WEIGHT * (load.minutes + 3)
    span = timedelta(minutes=load.page_rows)
    for number in range(math.ceil(requests / len(SYMBOLS))):
        await candlelog.jobs.submit(
            exchange="binance", symbols=SYMBOLS, timeframes=["1m"], features=False,
            start=START + number * span, end=START + (number + 1) * span, label="bench: budget",
        )  # fmt: skip


async def _refused(system: System, since: int) -> int:
    """Requests of anybody that were refused in the minutes from then on."""
    windows = (await system.stats())["windows"]
    return sum(each["limited"] + each["banned"] for each in windows if each["start"] >= since)


async def _others(system: System, weight: float) -> None:
    """Somebody else behind the same address, who asks evenly until it is cancelled."""
    if not weight:
        return
    async with (
        httpx.AsyncClient(base_url=system.sandbox_url, trust_env=False) as client,
        asyncio.TaskGroup() as group,
    ):
        query = {"symbol": "GEN001USDT", "interval": "1m", "limit": 1}
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            group.create_task(_ask(client, query))
            due += KLINES_WEIGHT / weight
            await asyncio.sleep(due - loop.time())


async def _ask(client: httpx.AsyncClient, query: dict[str, str | int]) -> None:
    await client.get(KLINES, params=query)


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.budget", description=__doc__)
    add = parser.add_argument
    add("--minutes", type=int, default=5, help="full calendar minutes that are counted")
    add("--fetchers", type=int, action="append", metavar="N", help="1, 2 and 4 unless given")
    add("--full-pages", action="store_true", help="pages of 1,000 rows instead of 100")
    add("--foreign", type=float, default=0, metavar="WEIGHT", help="a second, of others")
    options = parser.parse_args()
    rows = FULL_PAGE if options.full_pages else SMALL_PAGE
    load = Load(rows, options.foreign, options.minutes)
    reports: list[Report] = []
    for fetchers in options.fetchers or (1, 2, 4):
        reports.append(asyncio.run(measure(fetchers, load)))
        reports[-1].show(Console())
    conclude(reports)


if __name__ == "__main__":
    main()
