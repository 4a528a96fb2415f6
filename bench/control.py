"""`python -m bench.control`: fairness, stops, plans and resumption of jobs at the limit.

What arrives is counted by the sandbox, whatever Candlelog thinks of it.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from rich.console import Console

from bench import end_to_end
from bench.report import Figure, Held, Report, conclude
from bench.sections import add_sections, chosen
from bench.system import System, running_system
from bench.venue import CAPACITY, KLINES, KLINES_WEIGHT, START, SYMBOLS, limits
from candlelog_client import Candlelog
from candlelog_client.jobs import JobRequest
from candlelog_client.results import Job

BEFORE_SMALL_SECONDS, AT_LIMIT_SECONDS = 30, 20
MOST_LATER = 10
LEAST_PACE = 0.9
BEFORE_STOP_SECONDS = 10
JUST_BEFORE_MS = 2000
GRACE_MS = 1000
WATCHED_SECONDS = 8
PLANNED_CAPACITY, PLANNED_SYMBOLS, PLANNED_DAYS = 1200, 60, 28
"""So little that the budget is the limit also while a job takes at once what the window it begins
in has left by then: of 6,000 a minute that may be more than two processors can fetch."""
DISTURBED, DISTURBED_DAYS = 100, 20
BEFORE_KILL_SECONDS = 3
MINUTES_UNTIL_KNOWN = 3
COMPARED = ["open_time", "open", "high", "low", "close", "volume", "quote_volume", "trades"]


class Span(TypedDict):
    """A range of time."""

    start: datetime
    end: datetime


async def fairness(system: System, candlelog: Candlelog) -> Report:
    """A job of one symbol and one day: alone, and half a minute into one of 500 and five years."""
    alone = await _small(candlelog, day=0)
    await system.next_minute()  # of one that has begun, what is left would come faster at first
    big = await _big(candlelog)
    await asyncio.sleep(BEFORE_SMALL_SECONDS)
    pace = await _pace(system)
    if pace < LEAST_PACE:
        raise RuntimeError(f"the big job was at {pace:.0%} of the pace of the limit: not at it")
    beside = await _small(candlelog, day=1)
    await candlelog.jobs.cancel(big.id)
    figures: dict[str, Figure] = {
        f"the big one in the {AT_LIMIT_SECONDS} s before, of the limit": pace,
        "alone, s": alone,
        "beside the big one, s": beside,
        "later by, s": Held(beside - alone, at_most=MOST_LATER),
    }
    return Report("A small job at the limit of a big one", figures)


async def stops(system: System, candlelog: Candlelog) -> Report:
    """Requests that arrive later than a second after a stop was answered, of a job that was being
    fetched until then."""
    figures: dict[str, Figure] = {}
    for killed in (False, True):
        for action in ("pause", "cancel"):
            name = f"{action}, coordinator killed" if killed else action
            before, late = await _stop(system, candlelog, action, killed=killed)
            figures[f"requests in the 2 s before {name}"] = before
            figures[f"late after {name}"] = Held(late, at_most=0)
    return Report("Stops of a job of 500 symbols and five years", figures)


async def plans(system: System, candlelog: Candlelog) -> Report:
    """A plan, and what the job then did."""
    request: JobRequest = {
        "exchange": "binance", "symbols": SYMBOLS[:PLANNED_SYMBOLS], "timeframes": ["1m"],
        "features": False, "start": START, "end": START + timedelta(days=PLANNED_DAYS),
    }  # fmt: skip
    await _until_known(system, candlelog, PLANNED_CAPACITY)
    plan = await candlelog.jobs.plan(**request)
    before = (await system.stats())["requests"][KLINES]
    began = time.monotonic()
    job = await candlelog.jobs.submit(**request)
    await _completed(candlelog, job.id)
    took = time.monotonic() - began
    asked = (await system.stats())["requests"][KLINES] - before
    figures: dict[str, Figure] = {
        "requests planned": plan.requests,
        "requests that arrived": Held(asked, at_least=plan.requests, at_most=plan.requests),
        "planned, s": plan.seconds,
        "took, s": took,
        "took of planned": Held(took / plan.seconds, at_least=0.9, at_most=1.1),
    }
    return Report("A plan against what then happened", figures)


async def resumption(system: System, candlelog: Candlelog) -> Report:
    """Rows of a job that is paused, resumed, cancelled and retried, with the coordinator killed in
    each of these states, against those of one that nothing disturbs: futures of the same candles.
    """
    await system.sandbox("/_sandbox/limits", market="futures", capacity=None)
    symbols = SYMBOLS[:DISTURBED]
    span: Span = {"start": START, "end": START + timedelta(days=DISTURBED_DAYS)}
    calm = await candlelog.jobs.submit(
        exchange="binanceusdm", symbols=[f"{symbol}:USDT" for symbol in symbols],
        timeframes=["1m"], features=False, **span,
    )  # fmt: skip
    await _completed(candlelog, calm.id)
    job = await candlelog.jobs.submit(
        exchange="binance", symbols=symbols, timeframes=["1m"], features=False, **span
    )
    steps = (candlelog.jobs.pause, candlelog.jobs.resume, candlelog.jobs.cancel)
    await _kill_coordinator_soon(system)
    for step in (*steps, candlelog.jobs.retry):
        await step(job.id)
        await _kill_coordinator_soon(system)
    job = await _completed(candlelog, job.id)
    different = 0
    for symbol in symbols:
        one, other = [
            await candlelog.candles(exchange, f"{symbol}{contract}", "1m", **span).to_arrow()
            for exchange, contract in (("binanceusdm", ":USDT"), ("binance", ""))
        ]
        different += not one.select(COMPARED).equals(other.select(COMPARED))
    figures: dict[str, Figure] = {
        "series": len(symbols),
        "candles": Held(
            job.candles_stored, at_least=job.candles_expected, at_most=job.candles_expected
        ),
        "series that differ from undisturbed": Held(different, at_most=0),
    }
    return Report("A job stopped and continued, its coordinator killed in each state", figures)


async def _kill_coordinator_soon(system: System) -> None:
    await asyncio.sleep(BEFORE_KILL_SECONDS)
    (await system.processes())["coordinator-0"].kill()
    await asyncio.sleep(BEFORE_KILL_SECONDS)


async def _small(candlelog: Candlelog, day: int) -> float:
    start = START + timedelta(days=day)
    began = time.monotonic()
    job = await candlelog.jobs.submit(
        exchange="binance", symbols=["SYNA/USDT"], timeframes=["1m"], features=False,
        start=start, end=start + timedelta(days=1), label="bench: small",
    )  # fmt: skip
    await _completed(candlelog, job.id)
    return time.monotonic() - began


async def _pace(system: System) -> float:
    """Requests for candles that arrived in the last seconds, of so many as the limit allows."""
    now = (await system.stats())["now"]
    recent = sum(at >= now - AT_LIMIT_SECONDS * 1000 for at in await _arrivals(system))
    return recent * KLINES_WEIGHT / (CAPACITY / 60 * AT_LIMIT_SECONDS)


async def _arrivals(system: System) -> list[int]:
    """When each request for candles arrived."""
    return [each["at"] for each in await system.arrivals() if each["path"] == KLINES]


async def _until_known(system: System, candlelog: Candlelog, capacity: int) -> None:
    """Give the fetchers little to do until a window has the capacity that the exchange tells, and
    not the one that its profile states."""
    for day in range(MINUTES_UNTIL_KNOWN):
        await _small(candlelog, day)
        if any(limit.capacity == capacity for limit in await candlelog.limits()):
            return
        await system.next_minute()
    raise RuntimeError(f"no window has a capacity of {capacity} in {MINUTES_UNTIL_KNOWN} minutes")


async def _completed(candlelog: Candlelog, job_id: str) -> Job:
    job = [state async for state in candlelog.jobs.watch(job_id)][-1]
    if job.status != "completed":
        raise RuntimeError(f"the job ended as {job.status}: there is nothing to measure")
    return job


async def _big(candlelog: Candlelog) -> Job:
    return await candlelog.jobs.submit(
        exchange="binance", symbols=SYMBOLS, timeframes=["1m"], features=False,
        start=START, end=datetime(2024, 1, 1, tzinfo=UTC), label="bench: big",
    )  # fmt: skip


async def _stop(
    system: System, candlelog: Candlelog, action: str, *, killed: bool
) -> tuple[int, int]:
    """How many requests arrive just before a stop of a big job, which is cancelled then, and how
    many too late after it."""
    big = await _big(candlelog)
    await asyncio.sleep(BEFORE_STOP_SECONDS)
    coordinator = (await system.processes())["coordinator-0"]
    stop: Callable[[str], Awaitable[Job]] = getattr(candlelog.jobs, action)
    asked = time.time() * 1000
    await stop(big.id)
    answered = time.time() * 1000
    if killed:
        coordinator.kill()
    await asyncio.sleep(WATCHED_SECONDS)
    arrivals = await _arrivals(system)
    if action != "cancel":
        await candlelog.jobs.cancel(big.id)
    before = sum(asked - JUST_BEFORE_MS <= at < asked for at in arrivals)
    if not before:
        raise RuntimeError(f"nothing was asked for when the job was to {action}: no stop to see")
    return before, sum(at > answered + GRACE_MS for at in arrivals)


_MEASURES = {"fairness": fairness, "stops": stops, "plans": plans, "resumption": resumption}
_CAPACITIES = {"plans": PLANNED_CAPACITY}


async def measure(sections: list[str], fetchers: int, console: Console) -> list[Report]:
    """Each section on a system of its own."""
    reports: list[Report] = []
    replicas = ("--replicas", f"fetcher={fetchers}")
    for section in sections:
        flags = limits(_CAPACITIES.get(section, CAPACITY))
        async with running_system(generated=500, sandbox_flags=flags, up_flags=replicas) as system:
            await end_to_end.warm_up()
            async with Candlelog() as candlelog:
                reports.append(await _MEASURES[section](system, candlelog))
        reports[-1].show(console)
    return reports


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.control", description=__doc__)
    add = parser.add_argument
    add_sections(parser, _MEASURES)
    add("--fetchers", type=int, default=1, metavar="N")
    options = parser.parse_args()
    conclude(asyncio.run(measure(chosen(parser, options, _MEASURES), options.fetchers, Console())))


if __name__ == "__main__":
    main()
