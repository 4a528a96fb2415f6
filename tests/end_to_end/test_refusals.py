"""What a user sees of an exchange that refuses, and of a candle that is still open."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from tests.sandbox import Sandbox

from candlelog.market.timeframe import Timeframe
from candlelog_client.client import Candlelog
from candlelog_client.results import Health, Job, Limit

pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

T = TypeVar("T")
System = tuple[Candlelog, Sandbox]

START = datetime(2024, 6, 1, tzinfo=UTC)
SLOTS = 3000
SYMBOLS = ["SYNA/USDT", "SYNB/USDT"]
SECONDS = 300
UNSURE = timedelta(seconds=15)
"""How much later than asked for a pause may end: nobody knows the exchange's time better than an
answer took, and a fetcher waits for none as long as this."""


async def submitted(client: Candlelog, symbols: list[str], **request: Any) -> Job:
    """A job on Binance, of three pages of each symbol unless the request says otherwise."""
    ago = {"start": START, "end": START + SLOTS * timedelta(minutes=1)}
    defaults = {"exchange": "binance", "timeframes": ["1m"], "features": False}
    return await client.jobs.submit(
        symbols=symbols, **defaults | ({} if "lookback" in request else ago) | request
    )


async def ended(client: Candlelog, job: Job) -> Job:
    """The job once it has ended."""
    async with asyncio.timeout(SECONDS):
        return [state async for state in client.jobs.watch(job.id)][-1]


async def seen(look: Callable[[], Awaitable[T]], told: Callable[[T], object]) -> T:
    """What is found, once it is as told."""
    async with asyncio.timeout(SECONDS):
        while not told(found := await look()):  # noqa: ASYNC110 -- another system's news
            await asyncio.sleep(0.1)
    return found


async def waiting(client: Candlelog, job: Job) -> Job:
    """The job once it runs, or has ended where it should wait."""
    return await seen(
        lambda: client.jobs.get(job.id), lambda found: found.finished or found.status == "running"
    )


def fetchers(health: Health) -> tuple[str, str]:
    """How fetchers are, and why."""
    [found] = [each for each in health.components if each.name == "fetcher"]
    return found.state, found.detail or ""


async def limit_of(client: Candlelog, exchange: str) -> Limit:
    """The budget of an exchange; one of which nothing is known before there is any."""
    found = {each.budget.split("|")[0]: each for each in await client.limits()}
    return found.get(exchange, Limit(budget=exchange))


@pytest.mark.parametrize("exchange", ["binance", "kraken"])
@pytest.mark.parametrize("timeframe", ["1h", "1d"])
async def test_a_job_up_to_now_stores_all_candles_that_have_closed_and_none_that_is_open(
    system: System, exchange: str, timeframe: str
):
    client, sandbox = system
    before = await sandbox.now()
    job = await submitted(
        client, SYMBOLS[:1], exchange=exchange, timeframes=[timeframe], lookback="5d"
    )
    assert (await ended(client, job)).status == "completed"
    after = await sandbox.now()
    found = client.candles(exchange, SYMBOLS[0], timeframe, start=job.start, end=after)
    last = (await found.to_arrow())["open_time"][-1].as_py()
    frame = Timeframe.parse(timeframe)
    assert frame.floor(before) <= frame.advance(last, 1) <= after


async def test_an_exchange_that_does_not_answer_is_named_until_it_does_and_costs_no_candle(
    system: System,
):
    client, sandbox = system
    await sandbox.strike([{"kind": "reset", "path": "/api/v3/klines"}])
    job = await submitted(client, SYMBOLS)
    state, detail = fetchers(await seen(client.health, lambda health: fetchers(health)[1]))
    assert (state, detail.split(",")[0]) == ("degraded", "binance: left alone")
    assert (await waiting(client, job)).status == "running"

    await sandbox.strike([])
    done = await ended(client, job)
    assert (done.status, done.attempts, done.error) == ("completed", 1, None)
    for symbol in SYMBOLS:
        table = await client.candles("binance", symbol, "1m", start=START, end=job.end).to_arrow()
        assert table.num_rows == SLOTS
    await seen(client.health, lambda health: fetchers(health) == ("healthy", ""))


async def test_limits_show_what_the_exchange_counted_and_what_was_granted_of_how_much(
    system: System,
):
    client, sandbox = system

    async def look() -> tuple[Limit, float | None]:
        """The budget after a job, and what the exchange counted in the window that is shown."""
        await ended(client, await submitted(client, SYMBOLS, incremental=False))
        shown = await limit_of(client, "binance")
        return shown, shown.window and await sandbox.weight(shown.window.start)

    # A minute that begins meanwhile, or what is read again by itself, has them differ for a moment.
    shown, counted = await seen(look, lambda found: found[0].used and found[0].used == found[1])
    assert counted is not None
    assert shown.capacity == 6000
    assert shown.window_seconds == 60
    assert counted > 0
    assert shown.utilisation == round(counted / 6000, 4)
    assert 0 < shown.granted <= 6000
    assert UUID(shown.allocator)
    assert shown.backoff_until is None


def fault(kind: str, path: str, **more: Any) -> dict[str, Any]:
    """The switch of a fault that strikes one question for candles."""
    return {"faults": [{"kind": kind, "path": path, "count": 1, **more}]}


@pytest.mark.parametrize(
    ("exchange", "switch", "values", "seconds"),
    [
        ("binanceusdm", "faults", fault("429-bare", "/fapi/v1/klines"), 60),
        ("binance", "faults", fault("418", "/api/v3/klines", seconds=40), 40),
        ("kraken", "kraken", {"burst": 1, "decay": 0.001}, 60),
    ],
)
async def test_until_when_an_exchange_that_refused_is_left_alone_is_shown_and_no_attempt_is_lost(
    system: System, exchange: str, switch: str, values: dict[str, Any], seconds: int
):
    """The last test: what an exchange wants is longer than anybody waits here."""
    client, sandbox = system
    symbols = [f"{each}:USDT" for each in SYMBOLS] if exchange == "binanceusdm" else SYMBOLS
    request = {"exchange": exchange, "lookback": "30m", "incremental": False}
    await client.jobs.plan(symbols=symbols, timeframes=["1m"], **request)  # has symbols known
    pause, before = timedelta(seconds=seconds), await sandbox.now()
    await sandbox.turn(switch, **values)
    job = await submitted(client, symbols, **request)
    shown = await seen(lambda: limit_of(client, exchange), lambda limit: limit.backoff_until)
    after = await sandbox.now()
    assert shown.backoff_until is not None
    assert before + pause <= shown.backoff_until <= after + pause + UNSURE
    now = await waiting(client, job)
    assert (now.status, now.attempts, now.error) == ("running", 1, None)
    assert (await client.jobs.cancel(job.id)).status == "cancelled"
