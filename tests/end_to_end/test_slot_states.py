"""Every slot of two hundred series, against the exchange that knows why each is as it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from tests.sandbox import Sandbox

from candlelog.market.timeframe import Timeframe
from candlelog_client.client import Candlelog

pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

MINUTE = timedelta(minutes=1)
BASES = ("SYNA", "SYNB", *(f"GEN{number:03d}" for number in range(1, 11)))
DENSE = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
SPARSE = ("1h", "4h", "1d")
SPARSE_BASES = BASES[:11]
REACH, BEYOND, ON_ITS_WAY = 720, 60, 2
"""Candles that Kraken still answers, slots asked for that are older, and how far what it still
answers may move while the test runs."""
AT_ITS_EDGE = "at the edge of what it answers"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


WINDOW = (at("2024-01-05"), at("2024-02-12"))
ASKED = ((at("2024-01-10"), at("2024-01-18")), (at("2024-02-05"), at("2024-02-10")))


@dataclass(frozen=True)
class Life:
    """From when until when a symbol is listed, and when its exchange was away."""

    since: datetime | None
    until: datetime | None
    holes: tuple[tuple[datetime, datetime], ...]

    def there(self, start: datetime, minutes: int) -> NDArray[np.bool_]:
        """In which minutes from `start` on it has a candle."""

        def place(time: datetime) -> int:
            return min(max(0, (time - start) // MINUTE), minutes)

        there = np.ones(minutes, np.bool_)
        there[: 0 if self.since is None else place(self.since)] = False
        there[minutes if self.until is None else place(self.until) :] = False
        for first, end in self.holes:
            there[place(first) : place(end)] = False
        return there


def lives() -> Iterator[tuple[str, Life]]:
    """Listed late, or after all that is asked for, delisted, both, or always; most were away."""
    sinces = (None, at("2024-01-13 07:23"), None, at("2024-03-01"))
    untils = (None, None, at("2024-02-07 11:11"))
    for number, base in enumerate(BASES):
        away = at("2024-01-16 03:00") + number * timedelta(hours=1)
        holes = ((away, away + (40 + 50 * number) * MINUTE), (at("2024-02-06"), at("2024-02-08")))
        since, until = sinces[number % 4], untils[number % 3]
        yield base, Life(since, None if since == sinces[3] else until, holes[: number % 3])


LIVES = dict(lives())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(system: tuple[Candlelog, Sandbox]) -> tuple[Candlelog, datetime]:
    """Jobs for all of it; and when they were submitted."""
    client, sandbox = system
    now = datetime.now(UTC)
    for base, life in LIVES.items():
        when = {
            name: time and time.isoformat()
            for name, time in (("since", life.since), ("until", life.until))
        }
        ranges = [[first.isoformat(), end.isoformat()] for first, end in (*life.holes, quiet(now))]
        await sandbox.turn("holes", symbol=f"{base}USDT", ranges=ranges)
        await sandbox.turn("listing", symbol=f"{base}USDT", **when)
    for market in ("spot", "futures"):
        await sandbox.turn("limits", market=market, capacity=None)
    jobs = [
        await client.jobs.submit(
            exchange=exchange, symbols=[f"{base}/USDT{contract}" for base in BASES],
            timeframes=list(DENSE), start=start, end=end, features=False,
        )
        for exchange, contract in (("binance", ""), ("binanceusdm", ":USDT"))
        for start, end in ASKED
    ]  # fmt: skip
    jobs += [
        await client.jobs.submit(
            exchange="kraken", symbols=[f"{base}/USDT" for base in SPARSE_BASES],
            timeframes=[timeframe], start=first, end=end, features=False,
        )
        for timeframe in SPARSE
        for first, end in sparse_ranges(timeframe, now)
    ]  # fmt: skip
    for job in jobs:
        async for _ in client.jobs.watch(job.id):
            pass
    return client, now


def quiet(now: datetime) -> tuple[datetime, datetime]:
    """Some hours, not long ago, in which nothing was traded."""
    hours = Timeframe.parse("4h")
    start = hours.advance(hours.floor(now), -20)
    return start, hours.advance(start, 1)


def settled(frame: Timeframe, now: datetime) -> datetime:
    """The end of what had closed long enough ago to be final."""
    return frame.advance(frame.floor(now), -1)


def sparse_ranges(timeframe: str, now: datetime) -> list[tuple[datetime, datetime]]:
    """What is asked of Kraken: some of what is too old, and all that is not but a hundred slots."""
    frame = Timeframe.parse(timeframe)
    newest = settled(frame, now)
    return [
        (frame.advance(newest, -REACH - BEYOND), frame.advance(newest, -300)),
        (frame.advance(newest, -200), newest),
    ]


async def states(
    client: Candlelog, series: tuple[str, str, str], start: datetime, end: datetime
) -> list[str]:
    """The state of each slot."""
    exchange, symbol, timeframe = series
    found: list[str] = []
    async for run in client.coverage(
        exchange=exchange, symbol=symbol, timeframe=timeframe, start=start, end=end
    ):
        found += [run.state] * run.slots
    return found


def dense_truth(life: Life, timeframe: str) -> list[str]:
    """A candle is there where one of its minutes is; what lies before the first and behind the last
    was not listed, and what else lacks is an outage. Of the rest nobody has asked."""
    step = (Timeframe.parse(timeframe).duration or MINUTE) // MINUTE
    start, end = WINDOW
    there = life.there(start, (end - start) // MINUTE).reshape(-1, step).any(axis=1)
    places = np.arange(len(there))
    # What opens before the window or behind it is there unless it was not listed.
    first = places[there][0] if life.since is not None and there.any() else 0
    first = len(there) if life.since is not None and not there.any() else first
    last = places[there][-1] if life.until is not None else len(there)
    told = np.where(there, "present", "outage").astype(object)
    told[(places < first) | (places > last)] = "unlisted"
    opens = start + places * step * MINUTE
    asked = np.zeros(len(there), np.bool_)
    for begin, stop in ASKED:
        asked |= (opens >= begin) & (opens < stop)
    told[~asked] = "unknown"
    return told.tolist()


@pytest.mark.parametrize(("exchange", "contract"), [("binance", ""), ("binanceusdm", ":USDT")])
async def test_each_slot_of_a_dense_exchange_is_in_the_state_that_the_exchange_knows(
    asked: tuple[Candlelog, datetime], exchange: str, contract: str
):
    for base, life in LIVES.items():
        for timeframe in DENSE:
            series = (exchange, f"{base}/USDT{contract}", timeframe)
            assert await states(asked[0], series, *WINDOW) == dense_truth(life, timeframe), series


def sparse_truth(life: Life, timeframe: str, now: datetime) -> list[str]:
    """Of a market that trades its newest candles are answered, of one that has ceased that nothing
    was traded since. What slots without a candle leave, older ones have."""
    frame = Timeframe.parse(timeframe)
    newest = settled(frame, now)
    opens = [frame.advance(newest, -at) for at in range(REACH + BEYOND, 0, -1)]
    first, end = quiet(now)
    silent = [
        life.until is not None or first <= time < frame.advance(time, 1) <= end for time in opens
    ]
    reached = BEYOND + 2 - sum(silent)
    told = ["no_trade" if each else "present" for each in silent]
    if life.until is None:
        told[:reached] = ["unfetchable"] * reached
        told[reached - ON_ITS_WAY : reached + ON_ITS_WAY] = [AT_ITS_EDGE] * 2 * ON_ITS_WAY
    told[REACH + BEYOND - 300 : REACH + BEYOND - 200] = ["unknown"] * 100
    return told


@pytest.mark.parametrize("timeframe", SPARSE)
async def test_each_slot_of_a_sparse_exchange_is_in_the_state_that_the_exchange_knows(
    asked: tuple[Candlelog, datetime], timeframe: str
):
    client, now = asked
    start, _ = sparse_ranges(timeframe, now)[0]
    _, end = sparse_ranges(timeframe, now)[-1]
    for base in SPARSE_BASES:
        series = ("kraken", f"{base}/USDT", timeframe)
        found, truth = (
            await states(client, series, start, end),
            sparse_truth(LIVES[base], timeframe, now),
        )
        assert len(found) == len(truth)
        edge = [place for place, state in enumerate(truth) if state == AT_ITS_EDGE]
        assert {found[place] for place in edge} <= {"present", "unfetchable"}, series
        assert [
            AT_ITS_EDGE if place in edge else state for place, state in enumerate(found)
        ] == truth, series


async def test_nothing_is_missing_where_the_exchange_could_be_asked(
    asked: tuple[Candlelog, datetime],
):
    missing = 0
    for start, end in ASKED:
        async for line in asked[0].completeness(
            by="exchange", exchange="binance", start=start, end=end
        ):
            missing += line.states.get("unknown", 0) + line.states.get("unfetchable", 0)
    assert missing == 0
