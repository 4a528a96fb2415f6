"""What a user sees when the exchange answers what it should not."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

import pyarrow as pa
import pytest
import pytest_asyncio
from tests.end_to_end.audits import audited
from tests.end_to_end.holes import SLOTS, Hole, asked, drawn, slots_of, told
from tests.end_to_end.holes import START as HOLES_START
from tests.sandbox import Sandbox

from candlelog.market.timeframe import Timeframe
from candlelog_client.client import Candlelog
from candlelog_client.errors import Refused
from candlelog_client.results import Job
from candlelog_client.stored import Gap

pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

START = datetime(2024, 6, 1, tzinfo=UTC)
FRAMES = ("1m", "3m", "5m")
SYMBOLS = 10
HOLLOW = [*(f"GEN{number:03d}" for number in range(1, 9)), "SYNA", "SYNB"]
"""Ten markets with holes."""
SECONDS = 300


class Seen(NamedTuple):
    """What a job of three pages comes to; `missing` counts slots that nothing explains."""

    status: str = "completed"
    stored: int = SLOTS
    attempts: int = 1
    error: str | None = None
    quarantined: tuple[str, ...] = ()
    outage: int = 0
    unlisted: int = 0
    missing: int = 0


def refused(reason: str) -> Seen:
    """One row was set aside."""
    return Seen(
        "completed_with_errors", SLOTS - 1, error="quarantined", quarantined=(reason,), missing=1
    )


def given_up(code: str) -> Seen:
    """One page is not asked for again."""
    return Seen("completed_with_errors", SLOTS - 1000, error=code, missing=1000)


ONCE = {
    # asked again, because the answer was none or no answer to the question
    **dict.fromkeys(
        ("html", "json", "cut", "500", "502", "503", "504", "clamped", "doubled"),
        Seen(attempts=2),
    ),
    # asked again, and no fault of the chunk
    **dict.fromkeys(("reset", "stall", "429", "418"), Seen()),
    "403": given_up("forbidden"),
    "451": given_up("geo_blocked"),
    # rows that break a rule are set aside, the others stay
    "row-nan": refused("not_finite"),
    "row-zero": refused("not_positive"),
    "row-negative": refused("not_positive"),
    "row-low-above-open": refused("low_or_high_wrong"),
    "unsorted": refused("not_increasing"),
    "row-off-grid": refused("off_grid"),
}
SHORTENED = {"429": 1, "418": 1}
"""Seconds of faults that last longer by themselves than a test needs."""


NEWEST = {"exchange": "binance", "symbol": "GEN010/USDT", "timeframe": "1m"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def read_early(
    system: tuple[Candlelog, Sandbox],
) -> tuple[datetime, datetime, pa.ChunkedArray]:
    """Start, end and volumes of ten minutes that end now, as they are stored while the last of them
    still grows: before all else, so that the settle delay passes while other tests run."""
    client, sandbox = system
    await sandbox.turn("late", seconds=60)
    states = {"present"}
    while "provisional" not in states:  # a job that begins late in a minute may come too late
        end = Timeframe.parse("1m").floor(datetime.now(UTC))
        start = end - timedelta(minutes=10)
        job = await client.jobs.submit(
            exchange="binance", symbols=[NEWEST["symbol"]], timeframes=["1m"], start=start,
            end=end, features=False,
        )  # fmt: skip
        assert [state async for state in client.jobs.watch(job.id)][-1].status == "completed"
        states = await states_of(client, start, end)
    return start, end, await volumes(client, start, end)


async def states_of(client: Candlelog, start: datetime, end: datetime) -> set[str]:
    return {run.state async for run in client.coverage(**NEWEST, start=start, end=end)}


async def volumes(client: Candlelog, start: datetime, end: datetime) -> pa.ChunkedArray:
    return (await client.candles(**NEWEST, start=start, end=end).to_arrow())["volume"]


def end_of(timeframe: str) -> datetime:
    return Timeframe.parse(timeframe).advance(START, SLOTS)


async def ended(
    client: Candlelog, symbols: list[str], timeframe: str, exchange: str = "binance"
) -> Job:
    """A job of three pages of each series, once it has ended and was audited."""
    job = await client.jobs.submit(
        exchange=exchange, symbols=symbols, timeframes=[timeframe], start=START,
        end=end_of(timeframe), features=False,
    )  # fmt: skip
    return await audited(client, job.id)


async def seen(client: Candlelog, symbol: str, timeframe: str, exchange: str = "binance") -> Seen:
    """What a user finds after a job of that series."""
    job = await ended(client, [symbol], timeframe, exchange)
    return await left_by(client, job, symbol, timeframe)


async def left_by(client: Candlelog, job: Job, symbol: str, timeframe: str) -> Seen:
    """What a user finds of a series after that job, which was of it alone."""
    series = {"exchange": job.exchange, "symbol": symbol, "timeframe": timeframe}
    end = end_of(timeframe)
    table = await client.candles(**series, start=START, end=end).to_arrow()
    rows = [row async for row in client.quarantine(**series) if row.job_id == job.id]
    slots = Counter[str]()
    async for run in client.coverage(**series, start=START, end=end):
        slots[run.state] += run.slots
    return Seen(
        status=job.status,
        stored=table.num_rows,
        attempts=job.attempts,
        error=job.error and job.error.code,
        quarantined=tuple(row.reason for row in rows),
        outage=slots["outage"],
        unlisted=slots["unlisted"],
        missing=slots["unknown"],
    )


async def gaps_of(client: Candlelog, count: int) -> list[Gap]:
    """The open gaps, once there are so many or time is up."""
    found: list[Gap] = []
    for _ in range(300):
        found = [gap async for gap in client.gaps()]
        if len(found) == count:
            break
        await asyncio.sleep(0.2)
    return found


async def missed(client: Candlelog, timeframe: str, holes: list[Hole]) -> None:
    """Have a job miss these holes of its timeframe, and say so."""
    end = Timeframe.parse(timeframe).advance(HOLES_START, SLOTS)
    job = await client.jobs.submit(
        exchange="binance", symbols=[f"{symbol}/USDT" for symbol in HOLLOW],
        timeframes=[timeframe], start=HOLES_START, end=end, features=False, max_attempts=1,
    )  # fmt: skip
    done = await audited(client, job.id)
    unknown = sum(hole.end - hole.first for hole in holes)
    assert done.status == "completed_with_errors"
    assert done.data_quality_score == round(1 - unknown / (len(HOLLOW) * SLOTS), 6)
    assert len(done.missing_periods) == len(holes)


@pytest.mark.usefixtures("read_early")
async def test_every_hole_is_found_and_filled_and_nothing_else_is_asked_for(
    system: tuple[Candlelog, Sandbox],
):
    """Fifty series. The first test: every gap there is, is one of these."""
    client, sandbox = system
    assert [gap async for gap in client.gaps()] == []
    random = Random(11)
    by_frame = {
        frame: [hole for symbol in HOLLOW for hole in drawn(random, symbol, frame)]
        for frame in ("1m", "3m", "5m", "15m", "30m")
    }
    holes = [hole for each in by_frame.values() for hole in each]
    away = (HOLES_START + timedelta(hours=16), HOLES_START + timedelta(hours=16, minutes=30))
    await sandbox.strike(hole.rule() for hole in holes)
    await sandbox.turn("holes", symbol="SYNAUSDT", ranges=[[time.isoformat() for time in away]])
    async with asyncio.TaskGroup() as group:
        for frame, each in by_frame.items():
            group.create_task(missed(client, frame, each))

    gaps = await gaps_of(client, len(holes))
    assert sorted(map(told, gaps)) == sorted(
        (hole.symbol, hole.timeframe, *hole.times()) for hole in holes
    )
    assert {gap.state for gap in gaps} == {"detected"}

    await sandbox.strike([])
    before = len(await sandbox.asked())
    for repair in await client.gaps.fill_all():
        assert repair.kind == "gap_repair"
        assert (await audited(client, repair.id)).status == "completed"
    assert await gaps_of(client, 0) == []

    end = HOLES_START + SLOTS * timedelta(minutes=1)
    whole = client.coverage("binance", "SYNA/USDT", "1m", start=HOLES_START, end=end)
    assert [(run.state, run.start, run.slots) async for run in whole] == [
        ("present", HOLES_START, 960), ("outage", away[0], 30), ("present", away[1], SLOTS - 990),
    ]  # fmt: skip
    missing = Counter[tuple[str, str, int]]()
    for hole in holes:
        missing += slots_of(hole.symbol, hole.timeframe, *hole.times())
    repairs = (await sandbox.asked())[before:]
    early = NEWEST["symbol"].replace("/", "")
    assert asked(each for each in repairs if each["symbol"] != early) == missing


async def test_every_fault_of_the_exchange_is_seen_as_what_it_is(
    system: tuple[Candlelog, Sandbox],
):
    client, sandbox = system
    series = {
        kind: (f"GEN{number % SYMBOLS + 1:03d}", FRAMES[number // SYMBOLS])
        for number, kind in enumerate(ONCE)
    }
    await sandbox.strike(
        {
            "kind": kind, "symbol": f"{symbol}USDT", "interval": timeframe, "count": 1,
            "seconds": SHORTENED.get(kind),
        }
        for kind, (symbol, timeframe) in series.items()
    )  # fmt: skip
    found = await asyncio.gather(
        *(seen(client, f"{symbol}/USDT", timeframe) for symbol, timeframe in series.values())
    )
    assert dict(zip(ONCE, found, strict=True)) == ONCE


@pytest.mark.parametrize(("kind", "symbol"), [("empty", "GEN001"), ("short", "GEN002")])
async def test_a_page_that_lacks_rows_which_the_exchange_has_is_asked_for_again(
    system: tuple[Candlelog, Sandbox], kind: str, symbol: str
):
    client, sandbox = system
    fault = {"kind": kind, "symbol": f"{symbol}USDT", "interval": "15m", "count": 1}
    before = await sandbox.struck(kind)
    await sandbox.strike([fault])
    # A question that is put off meanwhile, as by a stall of the machine, counts no attempt.
    assert await seen(client, f"{symbol}/USDT", "15m") in (Seen(attempts=1), Seen(attempts=2))
    assert await sandbox.struck(kind) == before + 1


async def test_where_the_exchange_says_twice_that_it_has_no_candle_it_was_away(
    system: tuple[Candlelog, Sandbox],
):
    client, sandbox = system
    hours = [Timeframe.parse("1h").advance(START, slots).isoformat() for slots in (500, 2500)]
    await sandbox.turn("holes", symbol="SYNAUSDT", ranges=[hours])
    assert await seen(client, "SYNA/USDT", "1h") == Seen(stored=SLOTS - 2000, outage=2000)


@pytest.mark.parametrize("missing", ["until", "since"])
async def test_a_symbol_has_no_candles_while_it_is_not_listed(
    system: tuple[Candlelog, Sandbox], missing: str
):
    """The first test of futures: their list is read when it says already who is delisted."""
    client, sandbox = system
    middle = Timeframe.parse("1h").advance(START, 1500)
    symbol = {"since": "GEN008", "until": "GEN009"}[missing]
    async with sandbox.listed(f"{symbol}USDT", **{missing: middle.isoformat()}):
        found = await seen(client, f"{symbol}/USDT:USDT", "1h", "binanceusdm")
    assert found == Seen(stored=1500, unlisted=1500)
    series = {"exchange": "binanceusdm", "symbol": f"{symbol}/USDT:USDT", "timeframe": "1h"}
    runs = [run async for run in client.coverage(**series, start=START, end=end_of("1h"))]
    states = ("unlisted", "present") if missing == "since" else ("present", "unlisted")
    assert [(run.state, run.start) for run in runs] == list(
        zip(states, (START, middle), strict=True)
    )


async def test_a_symbol_that_is_gone_fails_and_the_others_of_its_job_do_not(
    system: tuple[Candlelog, Sandbox],
):
    client, sandbox = system
    symbols = ["GEN006/USDT", "GEN007/USDT"]
    await client.jobs.plan(
        exchange="binance", symbols=symbols, timeframes=["1h"], lookback="1d"
    )  # from here on it is known
    async with sandbox.listed("GEN006USDT", gone=True):
        job = await ended(client, symbols, "1h")
    tasks = [task async for task in client.jobs.tasks(job.id)]
    assert job.status == "completed_with_errors"
    assert {
        task.symbol: (task.status, task.error and task.error.code, task.candles_stored)
        for task in tasks
    } == {
        "GEN006/USDT": ("failed", "unknown_symbol", 0),
        "GEN007/USDT": ("completed", None, SLOTS),
    }


async def test_of_a_symbol_that_vanishes_under_way_what_was_fetched_is_kept(
    system: tuple[Candlelog, Sandbox],
):
    client, sandbox = system
    rest = Timeframe.parse("1h").advance(START, 1000).isoformat()
    before = await sandbox.struck("500")
    await sandbox.strike([{"kind": "500", "symbol": "GEN005USDT", "interval": "1h", "start": rest}])
    job = await client.jobs.submit(
        exchange="binance", symbols=["GEN005/USDT"], timeframes=["1h"], start=START,
        end=end_of("1h"), features=False, max_attempts=10,
    )  # fmt: skip
    async with asyncio.timeout(SECONDS):
        async for state in client.jobs.watch(job.id):
            if state.candles_stored and await sandbox.struck("500") > before:
                break
    async with sandbox.listed("GEN005USDT", gone=True):
        await sandbox.strike([])
        job = await audited(client, job.id)
    found = await left_by(client, job, "GEN005/USDT", "1h")
    assert found == given_up("unknown_symbol")._replace(
        stored=1000, missing=2000, attempts=found.attempts
    )


async def test_a_timeframe_that_the_exchange_lacks_is_refused_with_those_nearest_to_it(
    system: tuple[Candlelog, Sandbox],
):
    client, _ = system
    with pytest.raises(Refused, match="unknown timeframe '3m'; did you mean 5m, 1m, 15m"):
        await client.jobs.submit(
            exchange="kraken", symbols=["SYNA/USDT"], timeframes=["3m"], lookback="1d"
        )


async def test_candles_that_kraken_no_longer_answers_are_missing_and_no_others(
    system: tuple[Candlelog, Sandbox],
):
    client, _ = system
    minute = timedelta(minutes=1)
    end = Timeframe.parse("1m").floor(datetime.now(UTC))
    start = end - 1000 * minute
    job = await client.jobs.submit(
        exchange="kraken", symbols=["SYNA/USDT"], timeframes=["1m"], start=start, end=end,
        features=False,
    )  # fmt: skip
    async with asyncio.timeout(SECONDS):
        job = [state async for state in client.jobs.watch(job.id)][-1]
    assert (job.status, job.error and job.error.code) == ("completed_with_errors", "out_of_reach")
    runs = [run async for run in client.coverage("kraken", "SYNA/USDT", "1m", start=start, end=end)]
    assert runs[0].state == "unfetchable"
    assert 1000 - 720 <= runs[0].slots <= 1000 - 715
    assert {run.state for run in runs[1:]} <= {"provisional", "present", "no_trade"}


async def test_candles_that_change_after_their_close_are_read_again_by_themselves(
    system: tuple[Candlelog, Sandbox],
    read_early: tuple[datetime, datetime, pa.ChunkedArray],
):
    client, _ = system
    start, end, early = read_early
    async with asyncio.timeout(SECONDS):
        while await states_of(client, start, end) != {"present"}:  # noqa: ASYNC110 -- another system's news
            await asyncio.sleep(2)
    final = await volumes(client, start, end)
    assert final[:8] == early[:8]
    assert final[9].as_py() > early[9].as_py()


async def test_a_clock_of_the_exchange_that_is_wrong_changes_nothing(
    system: tuple[Candlelog, Sandbox],
):
    """The last test: by a clock that is wrong, what is read again may be too early once more."""
    client, sandbox = system
    for seconds, symbol in ((90, "SYNA/USDT:USDT"), (-90, "SYNB/USDT:USDT")):
        await sandbox.turn("clock", offset_seconds=seconds)
        assert await seen(client, symbol, "1m", "binanceusdm") == Seen()
    await sandbox.turn("clock", offset_seconds=0)
