"""Known holes in sixty series: found to the slot, asked for and nothing else, and gone."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import pytest

from candlelog.market.timeframe import Timeframe
from candlelog_client.client import Candlelog
from candlelog_client.results import Gap, Job

pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

START = datetime(2024, 2, 1, tzinfo=UTC)
PAGE = 1000
SLOTS = 3 * PAGE
FRAMES = ("1m", "3m", "5m", "15m", "30m")
SYMBOLS = [f"GEN{number:03d}" for number in range(1, 11)] + ["SYNA", "SYNB"]
OUTAGE = (START + timedelta(hours=16), START + timedelta(hours=16, minutes=30))
MINUTE = timedelta(minutes=1)
SECONDS = 300


class Hole(NamedTuple):
    """Slots `[first, end)` of a series that the exchange does not give away."""

    symbol: str
    timeframe: str
    first: int
    end: int
    refused: bool
    """Whether it gives rows that are refused, or no answer to the page at all."""

    def times(self) -> tuple[datetime, datetime]:
        frame = Timeframe.parse(self.timeframe)
        return frame.advance(START, self.first), frame.advance(START, self.end)

    def rule(self) -> dict[str, Any]:
        start, end = (time.isoformat() for time in self.times())
        return {
            "kind": "row-nan" if self.refused else "500", "symbol": f"{self.symbol}USDT",
            "interval": self.timeframe, "start": start, "end": end,
        }  # fmt: skip


def drawn(random: Random, symbol: str, timeframe: str) -> Iterable[Hole]:
    """Holes at the start, in the middle and at the end of a series, of one slot and of many.

    There is at most one in a page: the exchange does one thing wrong in an answer.
    """
    if random.random() < 0.3:
        first = random.choice(range(0, SLOTS, PAGE))
        yield Hole(symbol, timeframe, first, first + PAGE, refused=False)
        return
    if random.random() < 0.6:
        yield Hole(symbol, timeframe, 0, random.choice([1, 30]), refused=True)
    if random.random() < 0.6:
        first = random.randint(1100, 1600)
        yield Hole(symbol, timeframe, first, first + random.choice([1, 300]), refused=True)
    if random.random() < 0.6:
        yield Hole(symbol, timeframe, SLOTS - random.choice([1, 25]), SLOTS, refused=True)


async def ended(client: Candlelog, job_id: str) -> Job:
    """The job once it has ended and was audited."""
    async with asyncio.timeout(SECONDS):
        async for job in client.jobs.watch(job_id):
            if job.finished:
                break
        while True:
            tasks = [task async for task in client.jobs.tasks(job_id)]
            if all(task.data_quality_score is not None for task in tasks):
                return await client.jobs.get(job_id)
            await asyncio.sleep(0.1)


async def gaps_of(client: Candlelog, count: int) -> list[Gap]:
    """The open gaps, once there are so many or time is up."""
    found: list[Gap] = []
    for _ in range(600):
        found = [gap async for gap in client.gaps()]
        if len(found) == count:
            break
        await asyncio.sleep(0.1)
    return found


def told(gap: Gap) -> tuple[str, str, datetime, datetime]:
    return gap.symbol.removesuffix("/USDT"), gap.timeframe, gap.start, gap.end


def slots(
    symbol: str, timeframe: str, start: datetime, end: datetime
) -> Counter[tuple[str, str, int]]:
    times = Timeframe.parse(timeframe).open_times_ms(start, end).tolist()
    return Counter((symbol, timeframe, time) for time in times)


async def test_every_hole_is_found_and_filled_and_nothing_else_is_asked_for(system):
    client, sandbox = system
    random = Random(11)
    frames = [(symbol, frame) for symbol in SYMBOLS for frame in FRAMES]
    holes = [hole for names in frames for hole in drawn(random, *names)]
    await sandbox.strike(hole.rule() for hole in holes)
    outage = [time.isoformat() for time in OUTAGE]
    await sandbox.turn("holes", symbol="SYNAUSDT", ranges=[outage])
    for frame in FRAMES:
        end = Timeframe.parse(frame).advance(START, SLOTS)
        job = await client.jobs.submit(
            exchange="binance", symbols=[f"{symbol}/USDT" for symbol in SYMBOLS],
            timeframes=[frame], start=START, end=end, features=False, max_attempts=1,
        )  # fmt: skip
        done = await ended(client, job.id)
        of_frame = [hole for hole in holes if hole.timeframe == frame]
        assert done.status == "completed_with_errors"
        unknown = sum(hole.end - hole.first for hole in of_frame)
        expected = len(SYMBOLS) * SLOTS
        assert done.data_quality_score == round(1 - unknown / expected, 6)
        assert len(done.missing_periods) == len(of_frame)

    found = await gaps_of(client, len(holes))
    assert sorted(map(told, found)) == sorted(
        (hole.symbol, hole.timeframe, *hole.times()) for hole in holes
    )
    assert {gap.state for gap in found} == {"detected"}

    await sandbox.strike([])
    before = len(await sandbox.asked())
    for repair in await client.gaps.fill_all():
        assert repair.kind == "gap_repair"
        assert (await ended(client, repair.id)).status == "completed"
    assert await gaps_of(client, 0) == []

    whole = client.coverage("binance", "SYNA/USDT", "1m", start=START, end=START + SLOTS * MINUTE)
    states = [(run.state, run.start, run.slots) async for run in whole]
    assert states == [
        ("present", START, 960), ("outage", OUTAGE[0], 30), ("present", OUTAGE[1], SLOTS - 990),
    ]  # fmt: skip

    asked: Counter[tuple[str, str, int]] = Counter()
    for each in (await sandbox.asked())[before:]:
        start, end = (
            datetime.fromtimestamp(int(each[name]) / 1000, UTC) for name in ("start", "end")
        )
        symbol = each["symbol"].removesuffix("USDT")
        asked += slots(symbol, each["interval"], start, end + timedelta(milliseconds=1))
    missing: Counter[tuple[str, str, int]] = Counter()
    for hole in holes:
        missing += slots(hole.symbol, hole.timeframe, *hole.times())
    assert asked == missing
