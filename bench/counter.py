"""`python -m bench.counter`: how much of Kraken's counter is used, and whether ever more.

The sandbox counts requests as they arrive: its counter rises by one with each, falls by one a
second, and refuses what would raise it above three.
"""

import argparse
import asyncio
from datetime import UTC, datetime, timedelta

from rich.console import Console

from bench.report import Figure, Held, Report, conclude
from bench.system import running_system
from bench.venue import MINUTE_MS, SYMBOLS
from candlelog_client import Candlelog

PAGE = 100
ADMITTED = 200
LEAST_USE = 0.97
WARM_SECONDS = 10
"""Before the counting begins: the venue's time and its markets are asked for first."""


async def measure(fetchers: int, minutes: int) -> Report:
    """Requests that arrived in some minutes of a job that the counter limits."""
    replicas = ("--replicas", f"fetcher={fetchers}")
    async with running_system(generated=500, up_flags=replicas) as system, Candlelog() as candlelog:
        now = datetime.now(UTC)
        for page in range(1 + minutes * 60 // len(SYMBOLS)):
            end = now - page * timedelta(minutes=PAGE)
            await candlelog.jobs.submit(
                exchange="kraken", symbols=SYMBOLS, timeframes=["1m"], features=False,
                start=end - timedelta(minutes=PAGE), end=end, label="bench: counter",
            )  # fmt: skip
        while not (arrivals := await system.arrivals()):
            await asyncio.sleep(0.5)
        begin = arrivals[0]["at"] + WARM_SECONDS * 1000
        end_ms = begin + minutes * MINUTE_MS
        await system.reach(end_ms)
        arrived = [each for each in await system.arrivals() if begin <= each["at"] < end_ms]
        admitted = sum(each["verdict"] == ADMITTED for each in arrived)
        throttled = (await system.stats())["kraken"]["limited"]
        stored = sum([each.candles_stored async for each in candlelog.jobs.list()])
    allowed = minutes * 60
    figures: dict[str, Figure] = {
        "requests that the counter allows": allowed,
        "requests that it admitted": admitted,
        "use": Held(admitted / allowed, at_least=LEAST_USE),
        "throttled, from the beginning": Held(throttled, at_most=0),
        "candles stored": stored,
    }
    return Report(f"Kraken's counter: {fetchers} fetchers, {minutes} minutes", figures)


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.counter", description=__doc__)
    parser.add_argument("--minutes", type=int, default=5)
    parser.add_argument("--fetchers", type=int, default=4, metavar="N")
    options = parser.parse_args()
    report = asyncio.run(measure(options.fetchers, options.minutes))
    report.show(Console())
    conclude([report])


if __name__ == "__main__":
    main()
