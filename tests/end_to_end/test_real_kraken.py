"""Kraken's own hours: from its file for the past, from its exchange for the newest, one history."""

import os
import sys
from asyncio import create_subprocess_exec, subprocess
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import pytest_asyncio
from tests.conftest import Launch

from candlelog_client.client import Candlelog
from candlelog_client.results import Job

REAL_DATA = Path(os.environ.get("CANDLELOG_REAL_DATA", Path(__file__).parents[3] / "shared/data"))
pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not REAL_DATA.exists(), reason=f"no real market data at {REAL_DATA}"),
]  # fmt: skip

HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
REAL = ("kraken", "BTC/USD", "1h")
WRONG = ("kraken", "SYNA/USDT", "1h")
TRADELESS = 10_856
SEAM = 24


class Hours(NamedTuple):
    """The rows of a file, whose times are seconds since the epoch."""

    rows: list[list[str]]

    @property
    def times(self) -> list[datetime]:
        return [datetime.fromtimestamp(int(row[0]), UTC) for row in self.rows]

    def write(self, path: Path) -> None:
        path.write_text("".join(",".join(row) + "\n" for row in self.rows))


def shifted() -> Hours:
    """The real file, later by as many whole weeks as end before now."""
    with (REAL_DATA / "kraken/XBTUSD_60.csv").open() as file:
        rows = [line.rstrip("\n").split(",") for line in file]
    last = datetime.fromtimestamp(int(rows[-1][0]), UTC)
    later = int(((datetime.now(UTC) - last) // WEEK * WEEK).total_seconds())
    return Hours([[str(int(row[0]) + later), *row[1:]] for row in rows])


class World(NamedTuple):
    """A system, its exchange, and the file that both have."""

    client: Candlelog
    exchange: httpx.AsyncClient
    hours: Hours
    folder: Path

    async def asked(self) -> int:
        """Requests for candles of Kraken so far."""
        stats = (await self.exchange.get("/_sandbox/stats")).json()
        return stats["requests"].get("/0/public/OHLC", 0)

    async def read(self) -> dict[str, datetime]:
        """When each file was read last."""
        return {file.path: file.read_at async for file in self.client.files()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    launch: Launch, system_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[World]:
    hours, folder = shifted(), tmp_path_factory.mktemp("kraken")
    hours.write(folder / "XBTUSD_60.csv")
    process = await create_subprocess_exec(
        sys.executable, "-m", "candlelog_embedded.sandbox", "--port", "0",
        "--market", str(folder), stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().split()[-1]
    flags = ("--no-sandbox", "--exchange-url", f"kraken={url}", "--archive", f"kraken={folder}")
    try:
        async with (
            httpx.AsyncClient(base_url=url, trust_env=False) as exchange,
            launch(system_dir, *flags) as client,
        ):
            yield World(client, exchange, hours, folder)
    finally:
        process.terminate()
        await process.wait()


class Done(NamedTuple):
    """A job that has ended, and what it took."""

    job: Job
    requests: int
    read: dict[str, datetime]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def courses(world: World) -> tuple[Done, Done]:
    """The same job twice."""
    wanted = {"start": world.hours.times[0], "end": datetime.now(UTC)}
    first = await done(world, REAL, **wanted)
    return first, await done(world, REAL, **wanted)


async def done(world: World, series: tuple[str, str, str], **times: datetime) -> Done:
    before = await world.asked()
    exchange, symbol, timeframe = series
    job = await world.client.jobs.submit(
        exchange=exchange, symbols=[symbol], timeframes=[timeframe], features=False, **times
    )
    job = [state async for state in world.client.jobs.watch(job.id)][-1]
    return Done(job, await world.asked() - before, await world.read())


async def test_the_file_and_the_exchange_make_one_history(world: World, courses: tuple[Done, Done]):
    first, _ = courses
    assert first.job.status == "completed"
    assert first.requests > 0
    table = await world.client.candles(*REAL).to_arrow()
    assert table["open_time"].to_pylist() == world.hours.times
    for place, name in enumerate(("open", "high", "low", "close", "volume"), start=1):
        told = np.array([row[place] for row in world.hours.rows], float)
        assert np.array_equal(table[name].to_numpy(), told), name
    assert set(table["source"].to_pylist()) == {"archive", "rest"}


async def test_the_seam_was_read_both_ways_and_is_the_same(
    world: World, courses: tuple[Done, Done]
):
    del courses
    (seam,) = [each async for each in world.client.seams(symbol=REAL[1])]
    assert (seam.slots, seam.differing) == (SEAM, 0)


async def test_every_hour_without_a_trade_is_explained(world: World, courses: tuple[Done, Done]):
    del courses
    first, last = world.hours.times[0], world.hours.times[-1]
    within, since = Counter[str](), Counter[str]()
    async for run in world.client.coverage(*REAL, start=first, end=last + HOUR):
        within[run.state] += run.slots
    async for run in world.client.coverage(*REAL, start=last + HOUR):
        since[run.state] += run.slots
    assert within == {"present": len(world.hours.rows), "no_trade": TRADELESS}
    assert set(since) <= {"no_trade", "unknown"}
    assert since["unknown"] <= 1  # an hour may have closed since the job was submitted


async def test_nothing_is_fetched_again(courses: tuple[Done, Done]):
    first, again = courses
    assert (again.job.status, again.job.candles_fetched, again.requests) == ("completed", 0, 0)
    assert again.read == first.read


async def test_a_seam_that_differs_is_reported_with_the_slot(world: World):
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    query: dict[str, Any] = {"symbol": "SYNAUSDT", "interval": "1h", "limit": 1000}
    query |= {"endTime": int(now.timestamp() * 1000) - 1}
    rows = (await world.exchange.get("/api/v3/klines", params=query)).json()
    lines = [[str(row[0] // 1000), *row[1:6], str(row[8])] for row in rows]
    place = len(lines) - 719 + SEAM // 2  # the oldest that Kraken answers, and some hours
    lines[place][4] = lines[place][2]
    assert lines[place][4] != rows[place][4]
    Hours(lines).write(world.folder / "SYNAUSDT_60.csv")
    found = await done(world, WRONG, start=Hours(lines).times[0], end=now)
    assert found.job.status == "completed"
    (seam,) = [each async for each in world.client.seams(symbol=WRONG[1])]
    (difference,) = seam.differences
    assert seam.differing == 1
    assert difference.open_time == Hours(lines).times[place]
    closes = (difference.archive.close, difference.venue.close)
    assert closes == (float(lines[place][4]), float(rows[place][4]))
