"""`python -m bench.disturbed`: the budget while allocators die, and while the venue refuses.

The sandbox counts requests as they arrive, on its own clock, whatever Candlelog thinks of them.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import cycle
from random import Random
from typing import Any, Self

import psutil
from rich.console import Console

from bench import end_to_end
from bench.budget import LEAST_USE, SMALL_PAGE, Load, submit
from bench.report import Figure, Held, Report, conclude
from bench.sections import add_sections, chosen
from bench.system import System, running_system, stop
from bench.venue import CAPACITY, KLINES, LATENCY_MS, MINUTE_MS, limits
from candlelog_client import Candlelog
from candlelog_embedded.process import free_ports
from candlelog_embedded.supervisor.directory import DataDirectory

APART_SECONDS = 20
STOPPED_SECONDS = 15
STEP_SECONDS = 2.0
BAN_SECONDS = 60
BEFORE_KILL_SECONDS = 5
GRACE_MS = 250
LEAST_DISTURBED = 0.9


class Fetchers:
    """The fetchers of a system, and one more that comes and goes, at the latest in the end."""

    def __init__(self, system: System, candlelog: Candlelog) -> None:
        self._system = system
        self._candlelog = candlelog
        self._extra: asyncio.subprocess.Process | None = None
        self.notes: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.remove()

    async def allocator(self) -> psutil.Process:
        """The process that grants now: its log tells as which allocator it began."""
        while True:
            [limit] = await self._candlelog.limits()
            processes = await self._system.processes()
            for name in [name for name in processes if name.startswith("fetcher-")]:
                log = DataDirectory(self._system.data_directory).log_of(name.removesuffix("-0"))
                if str(limit.allocator) in await asyncio.to_thread(log.read_text):
                    return processes[name]
            await asyncio.sleep(0.5)  # it is the extra one, or has just been killed

    async def kill(self) -> None:
        """Kill the allocator."""
        (await self.allocator()).kill()

    async def stop(self) -> None:
        """Let the allocator stand still for a while."""
        process = await self.allocator()
        process.suspend()
        await asyncio.sleep(STOPPED_SECONDS)
        with suppress(psutil.NoSuchProcess):
            process.resume()

    async def add(self) -> None:
        """Start one more."""
        (port,) = free_ports(1, Random())
        with (self._system.data_directory / "extra.log").open("ab") as log:
            self._extra = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "fetcher", stdout=log, stderr=log,
                env={**os.environ, "FETCHER_INSTANCE": "extra", "FETCHER_HTTP_PORT": str(port)},
            )  # fmt: skip

    async def remove(self) -> None:
        """End that one."""
        if self._extra is not None:
            await stop(self._extra)
            if self._extra.returncode:
                self.notes.append(f"The extra fetcher ended with {self._extra.returncode}.")
            self._extra = None


async def torture(system: System, fetchers: Fetchers, minutes: int) -> Report:
    """Every 20 s one of: the allocator is killed, or stopped; a fetcher comes, or goes; the
    venue's clock is set by 2 s, either way."""

    async def step(offset: float) -> None:
        await system.sandbox("/_sandbox/clock", offset_seconds=offset)

    disturbances: list[Callable[[], Awaitable[None]]] = [
        fetchers.kill, fetchers.stop, fetchers.add, lambda: step(STEP_SECONDS), fetchers.remove,
        lambda: step(0.0), fetchers.kill, lambda: step(-STEP_SECONDS), fetchers.stop,
        lambda: step(0.0),
    ]  # fmt: skip
    first = await _next_minute(system)
    done, end = 0, first + minutes * MINUTE_MS
    for disturb in cycle(disturbances):
        begun = asyncio.get_running_loop().time()
        if (await system.stats())["now"] + APART_SECONDS * 1000 > end:
            break
        await disturb()
        done += 1
        await asyncio.sleep(max(0.0, begun + APART_SECONDS - asyncio.get_running_loop().time()))
    await system.reach(end + 1000)
    stats, weights = await system.stats(), await system.weights(first, minutes)
    figures: dict[str, Figure] = {
        "disturbances": done,
        "full minutes": minutes,
        "use over all of them": Held(sum(weights) / CAPACITY / minutes, at_least=LEAST_DISTURBED),
        "most weight in one minute": Held(max(weights), at_most=CAPACITY),
        "429 and 418": Held(stats["limited"] + stats["banned"], at_most=0),
    }
    return Report("Budget: four fetchers, disturbed every 20 s", figures, tuple(fetchers.notes))


async def refusals(system: System, fetchers: Fetchers, _minutes: int) -> Report:
    """A 429, then a 418 for a minute, the allocator killed during each: who asks too late, who too
    early, and how much of the budget is used afterwards."""
    begin = await _next_minute(system)
    await system.reach(begin + 20_000)
    await system.sandbox("/_sandbox/limits", capacity=1, ban_after=1000)
    await _refused(system, 429)
    await system.sandbox("/_sandbox/limits", capacity=CAPACITY)
    await asyncio.sleep(BEFORE_KILL_SECONDS)
    await fetchers.kill()
    limited_until = begin + MINUTE_MS
    await system.reach(limited_until + 2 * MINUTE_MS + 1000)
    [after_429] = await system.weights(limited_until + MINUTE_MS, 1)

    banned_at = (await system.stats())["now"]
    await system.sandbox("/_sandbox/ban", seconds=BAN_SECONDS)
    await _refused(system, 418)
    await asyncio.sleep(BEFORE_KILL_SECONDS)
    await fetchers.kill()
    banned_until = banned_at + BAN_SECONDS * 1000
    second = banned_until - banned_until % MINUTE_MS + 2 * MINUTE_MS
    await system.reach(second + MINUTE_MS + 1000)
    [after_418] = await system.weights(second, 1)
    arrivals = await system.arrivals()
    figures: dict[str, Figure] = {}
    for verdict, until, used in ((429, limited_until, after_429), (418, banned_until, after_418)):
        figures |= {
            f"after the {verdict}: late": Held(_late(arrivals, verdict, until), at_most=0),
            f"use of the second minute after the {verdict}": Held(
                used / CAPACITY, at_least=LEAST_USE
            ),
        }
    return Report("Budget: four fetchers, a 429 and a ban of a minute", figures)


def _late(arrivals: list[dict[str, Any]], verdict: int, until: int) -> int:
    """Requests that came later than the grace after the first refusal was answered, and before the
    time that it gave."""
    first = next(each["at"] for each in arrivals if each["verdict"] == verdict)
    return sum(first + LATENCY_MS + GRACE_MS < each["at"] < until for each in arrivals)


async def _refused(system: System, verdict: int) -> None:
    """Wait until somebody was refused so."""
    name = {429: "limited", 418: "banned"}[verdict]
    while not (await system.stats())[name]:
        await asyncio.sleep(0.02)


async def _next_minute(system: System) -> int:
    """The start of the first minute that is worked in from its beginning, once it has come."""
    while not (await system.stats())["requests"].get(KLINES):
        await asyncio.sleep(0.2)
    return await system.next_minute()


_MEASURES = {"torture": torture, "refusals": refusals}


async def measure(sections: list[str], minutes: int, console: Console) -> list[Report]:
    """Each section on a system of its own."""
    reports: list[Report] = []
    for section in sections:
        async with (
            running_system(
                generated=500, sandbox_flags=limits(), up_flags=("--replicas", "fetcher=4")
            ) as system,
            Candlelog() as candlelog,
            Fetchers(system, candlelog) as fetchers,
        ):
            await end_to_end.warm_up()
            await submit(candlelog, Load(SMALL_PAGE, 0, max(minutes, 8)))
            reports.append(await _MEASURES[section](system, fetchers, minutes))
        reports[-1].show(console)
    return reports


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.disturbed", description=__doc__)
    add_sections(parser, _MEASURES)
    parser.add_argument("--minutes", type=int, default=5, help="of the torture")
    options = parser.parse_args()
    conclude(asyncio.run(measure(chosen(parser, options, _MEASURES), options.minutes, Console())))


if __name__ == "__main__":
    main()
