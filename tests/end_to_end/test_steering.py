"""Jobs that a user stops, continues, asks again and forgets, in a whole system.

Each test has days of its own: what one has stored is not asked for by another.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from tests.end_to_end.commands import typed
from tests.sandbox import Sandbox

from candlelog.market.timeframe import Timeframe
from candlelog_client.client import Candlelog
from candlelog_client.errors import Conflict, NotFound
from candlelog_client.results import Job

pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

SYMBOLS = ["SYNA/USDT", "SYNB/USDT", *(f"GEN{number:03d}/USDT" for number in range(1, 11))]
FRAMES = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"]
ROWS = 1440
"""Of a minute in a day, which are two pages."""
LONG_DAYS = 6
"""Of a long job. It has 276 pages: three fetchers ask for 96 at a time, and for as many again
before anybody sees the first of them stored."""
SLOW_MS, QUICK_MS = 1000, 0
PROMISED_SECONDS = 1
"""After the answer to a stop no request is started for what was stopped."""

_starts = (datetime(2018, 1, 1, tzinfo=UTC) + number * timedelta(days=60) for number in count())


class Span(NamedTuple):
    """Days that no other test asks for."""

    start: datetime

    def request(self, symbols: Sequence[str], *frames: str, days: int = 1) -> dict[str, Any]:
        return {
            "exchange": "binance", "symbols": symbols, "timeframes": frames or ("1m",),
            "features": False, "start": self.start, "end": self.start + timedelta(days=days),
        }  # fmt: skip

    def is_asked(self, arrival: dict[str, Any]) -> bool:
        asked = datetime.fromtimestamp(int(arrival["start"]) / 1000, UTC)
        return self.start <= asked < self.start + timedelta(days=60)


@pytest.fixture
def span() -> Span:
    return Span(next(_starts))


@pytest_asyncio.fixture(loop_scope="module")
async def slow(system: tuple[Candlelog, Sandbox]) -> AsyncIterator[None]:
    """The exchange takes its time, so that there is something left to stop."""
    _, sandbox = system
    await sandbox.turn("latency", milliseconds=SLOW_MS)
    yield
    await sandbox.turn("latency", milliseconds=QUICK_MS)


async def asked(sandbox: Sandbox, span: Span) -> Counter[tuple[str, str, str]]:
    """How often each page of these days was asked for."""
    arrivals = filter(span.is_asked, await sandbox.asked())
    return Counter((each["symbol"], each["interval"], each["start"]) for each in arrivals)


async def ended(client: Candlelog, job: Job) -> Job:
    return [state async for state in client.jobs.watch(job.id)][-1]


async def rows(client: Candlelog, job: Job) -> list[int]:
    """How many candles of a minute there are of each symbol of a job."""
    reads = (
        client.candles("binance", symbol, "1m", start=job.start, end=job.end).to_arrow()
        for symbol in job.symbols
    )
    return [table.num_rows for table in await asyncio.gather(*reads)]


async def done(client: Candlelog, span: Span, symbols: Sequence[str], days: int = 1) -> Job:
    """A job that has ended."""
    return await ended(client, await client.jobs.submit(**span.request(symbols, days=days)))


async def begun(client: Candlelog, span: Span) -> Job:
    """A long job of which a part is stored."""
    job = await client.jobs.submit(**span.request(SYMBOLS, *FRAMES, days=LONG_DAYS))
    async for state in client.jobs.watch(job.id):
        if state.chunks_done:
            assert not state.finished
            return state
    raise AssertionError("it ended before anything was stored")


async def is_whole(client: Candlelog, job: Job) -> None:
    """Every row of a long job that has ended is there."""
    job = await ended(client, job)
    slots = sum(len(Timeframe.parse(frame).open_times_ms(job.start, job.end)) for frame in FRAMES)
    assert (job.status, job.candles_stored) == ("completed", len(SYMBOLS) * slots)
    assert await rows(client, job) == [ROWS * LONG_DAYS] * len(SYMBOLS)


async def arrives_late(sandbox: Sandbox, span: Span) -> int:
    """How many requests arrive in the second after the one in which the last may be started."""
    await asyncio.sleep(PROMISED_SECONDS)
    before = await asked(sandbox, span)
    await asyncio.sleep(1)
    return (await asked(sandbox, span)).total() - before.total()


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("action", ["pause", "cancel"])
async def test_a_second_after_a_stop_is_answered_no_request_arrives(
    system: tuple[Candlelog, Sandbox], span: Span, action: Any
):
    client, sandbox = system
    job = await begun(client, span)
    await client.jobs.steer(action, job.id)
    assert await arrives_late(sandbox, span) == 0
    assert (await asked(sandbox, span)).total() < job.chunks_total


@pytest.mark.usefixtures("slow")
async def test_a_job_that_is_resumed_completes_with_all_its_rows(
    system: tuple[Candlelog, Sandbox], span: Span
):
    client, sandbox = system
    job = await begun(client, span)
    assert (await client.jobs.pause(job.id)).status == "paused"
    await sandbox.turn("latency", milliseconds=QUICK_MS)
    await client.jobs.resume(job.id)
    await is_whole(client, job)


@pytest.mark.usefixtures("slow")
async def test_a_cancelled_job_that_is_retried_asks_for_nothing_again_that_it_has_stored(
    system: tuple[Candlelog, Sandbox], span: Span
):
    client, sandbox = system
    job = await begun(client, span)
    stopped = await client.jobs.cancel(job.id)
    assert await arrives_late(sandbox, span) == 0
    before = (await asked(sandbox, span)).total()

    await sandbox.turn("latency", milliseconds=QUICK_MS)
    await client.jobs.retry(job.id)
    await is_whole(client, job)
    repeated = (await asked(sandbox, span)).total() - job.chunks_total
    assert 0 <= repeated <= before - stopped.chunks_done


FAILING = SYMBOLS[:2]


async def failed(client: Candlelog, sandbox: Sandbox, span: Span) -> Job:
    """A job of three symbols that failed for two of them, for which it would not any more."""
    markets = [symbol.replace("/", "") for symbol in FAILING]
    await sandbox.strike({"kind": "451", "symbol": market} for market in markets)
    job = await done(client, span, SYMBOLS[:3])
    await sandbox.strike([])
    assert (job.status, job.tasks_failed) == ("completed_with_errors", 2)
    return job


def by_symbols(_: Job) -> dict[str, list[str]]:
    return {"symbols": FAILING[:1]}


def by_tasks(job: Job) -> dict[str, list[str]]:
    return {"tasks": [task.id for task in job.tasks if task.symbol == FAILING[0]]}


def all_that_failed(_: Job) -> dict[str, list[str]]:
    return {}


@pytest.mark.parametrize(
    ("which", "symbols", "status"),
    [
        (by_symbols, FAILING[:1], "completed_with_errors"),
        (by_tasks, FAILING[:1], "completed_with_errors"),
        (all_that_failed, FAILING, "completed"),
    ],
)
async def test_what_a_retry_names_is_asked_for_again_and_nothing_else(
    system: tuple[Candlelog, Sandbox], span: Span, which: Any, symbols: list[str], status: str
):
    client, sandbox = system
    job = await failed(client, sandbox, span)
    before = await asked(sandbox, span)
    await client.jobs.retry(job.id, **which(job))
    assert (await ended(client, job)).status == status
    again = await asked(sandbox, span) - before
    assert Counter(symbol for symbol, *_ in again.elements()) == {
        symbol.replace("/", ""): 2 for symbol in symbols
    }
    assert await rows(client, job) == [
        0 if symbol in FAILING and symbol not in symbols else ROWS for symbol in SYMBOLS[:3]
    ]


@pytest.mark.usefixtures("slow")
async def test_one_command_for_many_jobs_tells_what_became_of_each(
    system: tuple[Candlelog, Sandbox], system_dir: Path, span: Span
):
    client, _ = system
    over = await done(client, span, SYMBOLS[:1])
    going = [await client.jobs.submit(**span.request(SYMBOLS[1:], *FRAMES)) for _ in range(2)]
    ids = [job.id for job in (*going, over)]
    code, out, err = await typed("jobs", "cancel", *ids, "--json", "--data-dir", str(system_dir))
    assert code == 1, err
    assert [(each["job_id"], each["code"]) for each in json.loads(out)] == list(
        zip(ids, ("accepted", "accepted", "invalid_transition"), strict=True)
    )
    found = [(await client.jobs.get(job_id)).status for job_id in ids]
    assert found == ["cancelled", "cancelled", "completed"]


async def test_a_deleted_job_is_found_no_more_and_what_it_stored_stays(
    system: tuple[Candlelog, Sandbox], span: Span
):
    client, _ = system
    job = await done(client, span, SYMBOLS[:1])
    assert (await client.jobs.delete(job.id)).status == "deleted"
    with pytest.raises(NotFound):
        await client.jobs.get(job.id)
    assert await rows(client, job) == [ROWS]


async def is_refused(client: Candlelog, job: Job, action: Any) -> None:
    """The action is refused with a reason that tells the state, which stays as it is."""
    before = await client.jobs.get(job.id)
    with pytest.raises(Conflict, match=before.status) as refusal:
        await getattr(client.jobs, action)(job.id)
    assert refusal.value.code == "invalid_transition"
    after = await client.jobs.get(job.id)
    assert (after.status, after.completed_at) == (before.status, before.completed_at)


@pytest.mark.parametrize("action", ["pause", "resume", "cancel", "retry"])
async def test_a_job_that_is_completed_is_not_steered(
    system: tuple[Candlelog, Sandbox], span: Span, action: str
):
    client, sandbox = system
    job = await done(client, span, SYMBOLS[:1])
    before = await asked(sandbox, span)
    await is_refused(client, job, action)
    assert await asked(sandbox, span) == before


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(
    ("first", "then"),
    [("cancel", "cancel"), ("cancel", "resume"), ("pause", "pause"), ("pause", "delete")],
)
async def test_a_job_that_is_stopped_is_not_steered_against_its_state(
    system: tuple[Candlelog, Sandbox], span: Span, first: Any, then: str
):
    client, _ = system
    job = await client.jobs.submit(**span.request(SYMBOLS, *FRAMES))
    await client.jobs.steer(first, job.id)
    await is_refused(client, job, then)


async def test_a_plan_names_the_requests_that_then_arrive(
    system: tuple[Candlelog, Sandbox], span: Span
):
    client, sandbox = system
    await done(client, span, SYMBOLS[:1], days=2)
    request = span.request(SYMBOLS[:3], days=5)
    before = await asked(sandbox, span)
    plan = await client.jobs.plan(**request)
    assert await asked(sandbox, span) == before

    assert (await done(client, span, SYMBOLS[:3], days=5)).status == "completed"
    arrived = await asked(sandbox, span) - before
    assert Counter(symbol for symbol, *_ in arrived.elements()) == {
        task.symbol.replace("/", ""): task.requests for task in plan.tasks
    }
    assert plan.requests == arrived.total()


async def test_a_request_that_is_sent_twice_with_one_key_is_one_job(
    system: tuple[Candlelog, Sandbox], span: Span
):
    client, _ = system
    request = span.request(SYMBOLS[:1])
    first, second = [
        await client.jobs.submit(idempotency_key="sent twice", **request) for _ in range(2)
    ]
    assert first.id == second.id


async def test_a_key_that_was_used_for_another_request_is_refused(
    system: tuple[Candlelog, Sandbox], span: Span
):
    client, _ = system
    await client.jobs.submit(idempotency_key="used", **span.request(SYMBOLS[:1]))
    with pytest.raises(Conflict) as refusal:
        await client.jobs.submit(idempotency_key="used", **span.request(SYMBOLS[:1], days=2))
    assert refusal.value.code == "idempotency_conflict"
