"""`python -m bench.audit`: how long it takes to account for every slot of 10,000 series."""

import argparse
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from bench.filling import Filling
from bench.report import Held, Report
from bench.system import System, run
from candlelog.stores.clickhouse import ClickHouse
from candlelog_client import Candlelog

START = datetime(2020, 1, 1, tzinfo=UTC)
HOURS = 365 * 24
MINUTES = 5 * 365 * 1440
AT_ONCE = 100
"""Series of one insert."""
RUNS = 5


async def measure(system: System, series: int) -> list[Report]:
    """A year of hours of many series, then five years of minutes of one."""
    store = ClickHouse(system.clickhouse_url)
    many, long = Filling(store), Filling(store)
    for first in range(0, series, AT_ONCE):
        await many.series(first, min(first + AT_ONCE, series), "1h", START, HOURS)
    await long.series(1, 2, "1m", START, MINUTES)
    await system.merged()
    return [
        await _audit(f"{series:,} series, a year of hours each", "1h", many, aim_ms=5000),
        await _audit("one series, five years of minutes", "1m", long, aim_ms=200),
    ]


async def _audit(what: str, timeframe: str, filling: Filling, *, aim_ms: int) -> Report:
    """The report of the exchange, asked for several times."""
    times: list[float] = []
    found = Counter[str]()
    async with Candlelog() as candlelog:
        for _ in range(RUNS):
            began = time.monotonic()
            lines = [
                line
                async for line in candlelog.completeness(
                    by="exchange", timeframe=timeframe, start=START,
                    end=START + timedelta(days=5 * 365 if timeframe == "1m" else 365),
                )
            ]  # fmt: skip
            times.append(time.monotonic() - began)
            found = Counter(lines[0].states)
    wrong = (found - filling.states) + (filling.states - found)
    return Report(
        f"Audit of {what}",
        {
            "slots": sum(filling.states.values()),
            "slots counted in another state than they are in": Held(sum(wrong.values()), at_most=0),
            f"median of {RUNS}, ms (aim: {aim_ms:,})": 1000 * sorted(times)[RUNS // 2],
            "slots/s": round(sum(filling.states.values()) / sorted(times)[RUNS // 2]),
        },
    )


def main() -> None:
    """Measure, and print a table for each."""
    parser = argparse.ArgumentParser(prog="bench.audit", description=__doc__)
    parser.add_argument("--series", type=int, default=10_000)
    options = parser.parse_args()
    run(lambda system: measure(system, options.series))


if __name__ == "__main__":
    main()
