"""`python -m bench.reading`: pages and files of candles, out of a store of fifty million."""

import argparse
import time
from datetime import UTC, datetime, timedelta
from random import Random

import httpx
import psutil

from bench.filling import Filling, names_of
from bench.report import Held, Report, quantile
from bench.system import System, run
from candlelog.stores.clickhouse import ClickHouse

START = datetime(2000, 1, 1, tzinfo=UTC)
LONG, SHORT, SHORTS = 10_000_000, 2_500_000, 16
"""Minutes of the series that is streamed, and of each of the others."""
PAGES = 500
PAGE_ROWS = 1_000
MOST_MEMORY_MB = 300


async def measure(system: System, share: float) -> list[Report]:
    """`share` of the fifty million rows."""
    filling = Filling(ClickHouse(system.clickhouse_url))
    long, short = round(LONG * share), round(SHORT * share)
    await filling.series(0, 1, "1m", START, long)
    for number in range(2, 2 + SHORTS):
        await filling.series(number, number + 1, "1m", START, short)
    await system.merged()
    api = (await system.processes())["status-api-0"]
    client = httpx.AsyncClient(
        base_url=system.environment["CANDLELOG_API_URL"] + "/api/v1",
        headers={"Authorization": f"Bearer {system.environment['CANDLELOG_API_TOKEN']}"},
        trust_env=False,
        timeout=120,
    )
    stored = filling.states["present"]
    async with client:
        return [await _pages(client, short, stored), await _stream(client, api, long)]


async def _pages(client: httpx.AsyncClient, minutes: int, stored: int) -> Report:
    random, times = Random(1), list[float]()
    for _ in range(PAGES):
        number = random.randrange(2, 2 + SHORTS)
        start = START + timedelta(minutes=random.randrange(minutes - 2 * PAGE_ROWS))
        began = time.monotonic()
        answer = await client.get("/candles", params=_query(number, start))
        times.append(time.monotonic() - began)
        assert len(answer.json()["items"]) == PAGE_ROWS, answer.text[:200]
    return Report(
        f"GET /candles, {PAGE_ROWS} rows",
        {
            "rows stored": stored,
            "p50, ms": 1000 * quantile(times, 0.5),
            "p99, ms (aim: 50)": 1000 * quantile(times, 0.99),
        },
    )


async def _stream(client: httpx.AsyncClient, api: psutil.Process, minutes: int) -> Report:
    """The whole of one series as Parquet, and the most memory that the API takes meanwhile."""
    size, most, began = 0, api.memory_info().rss, time.monotonic()
    query = _query(0, START) | {"format": "parquet"}
    async with client.stream("GET", "/candles", params=query) as answer:
        answer.raise_for_status()
        async for block in answer.aiter_bytes():
            size += len(block)
            most = max(most, api.memory_info().rss)
    seconds = time.monotonic() - began
    return Report(
        "The series as Parquet",
        {
            "slots": minutes,
            "bytes": size,
            "s": seconds,
            "slots/s": round(minutes / seconds),
            "most memory of the API, MB": Held(most / 1e6, at_most=MOST_MEMORY_MB),
        },
    )


def _query(number: int, start: datetime) -> dict[str, str | int]:
    return {
        "exchange": "binance",
        "symbol": str(names_of([number])[0]),
        "timeframe": "1m",
        "start": start.isoformat(),
        "limit": PAGE_ROWS,
    }


def main() -> None:
    """Measure, and print a table for each."""
    parser = argparse.ArgumentParser(prog="bench.reading", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the fifty million rows")
    options = parser.parse_args()
    run(lambda system: measure(system, options.share))


if __name__ == "__main__":
    main()
