"""The sandbox and the embedded system, as a user starts them, for the time of a measurement."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import httpx
import psutil
from rich.console import Console

from bench.report import Report, conclude
from bench.venue import MINUTE_MS
from candlelog_client.connection import read_environment_file
from candlelog_embedded.process import free_ports

_START_SECONDS = 300
_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class System:
    """Addresses and processes of the running system."""

    environment: dict[str, str]
    sandbox_url: str
    sandbox_pid: int
    data_directory: Path

    @property
    def clickhouse_url(self) -> str:
        """The engine's URL."""
        return self.environment["CANDLELOG_CLICKHOUSE_URL"]

    async def processes(self) -> dict[str, psutil.Process]:
        """Every process by its name, the sandbox included."""
        listing = await _output("ps", "--json", "--data-dir", str(self.data_directory))
        found = {
            f"{row['service']}-{row['replica']}": psutil.Process(row["pid"])
            for row in json.loads(listing)
        }
        return found | {"sandbox": psutil.Process(self.sandbox_pid)}

    async def merged(self) -> None:
        """Wait until the engine has merged what was stored: the next measurement does not pay."""
        address = urlsplit(self.clickhouse_url)
        client = await clickhouse_connect.get_async_client(
            host=address.hostname or "", port=address.port or 0, autogenerate_session_id=False
        )
        async with client, asyncio.timeout(_START_SECONDS):
            quiet = 0
            while quiet < 2:  # a merge that is due begins within a moment
                running = (await client.query("SELECT count() FROM system.merges")).result_rows
                quiet = 0 if running[0][0] else quiet + 1
                await asyncio.sleep(0.5)

    async def stats(self) -> dict[str, Any]:
        """What arrived at the sandbox, counted by it."""
        return await self.sandbox("/_sandbox/stats?arrivals=0")

    async def arrivals(self) -> list[dict[str, Any]]:
        """Every request that arrived at the sandbox so far, in order, as far as it keeps them."""
        return (await self.sandbox("/_sandbox/stats?arrivals=50000"))["arrivals"]

    async def weights(self, first: int, minutes: int) -> list[int]:
        """What arrived in each of so many minutes from the one that began then."""
        found = {each["start"]: each["weight"] for each in (await self.stats())["windows"]}
        return [found.get(first + number * MINUTE_MS, 0) for number in range(minutes)]

    async def reach(self, time_ms: int) -> None:
        """Wait until it is that late at the venue."""
        while (left := time_ms - (await self.stats())["now"]) > 0:
            await asyncio.sleep(min(left / 1000 + 0.01, 1.0))

    async def next_minute(self) -> int:
        """Wait until a calendar minute begins at the venue; its start."""
        now = (await self.stats())["now"]
        start = now - now % MINUTE_MS + MINUTE_MS
        await self.reach(start)
        return start

    async def sandbox(self, path: str, **body: Any) -> dict[str, Any]:
        """Ask the sandbox something, or turn one of its switches."""
        async with httpx.AsyncClient(base_url=self.sandbox_url, trust_env=False) as client:
            response = await (client.post(path, json=body) if body else client.get(path))
            response.raise_for_status()
            return response.json()


def run(measure: Callable[[System], Awaitable[list[Report]]]) -> None:
    """Measure on a running system, print each report, and end the process as `conclude` does."""

    async def measured() -> list[Report]:
        async with running_system(generated=1) as system:
            return await measure(system)

    reports = asyncio.run(measured())
    for report in reports:
        report.show(Console())
    conclude(reports)


@contextlib.asynccontextmanager
async def running_system(
    *, generated: int, sandbox_flags: Sequence[str] = (), up_flags: Sequence[str] = ()
) -> AsyncGenerator[System]:
    """A sandbox without limit or latency, and `candlelog up` against it, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="candlelog-bench-") as folder:
        async with _sandbox(generated, sandbox_flags) as (sandbox_url, sandbox_pid):
            data = Path(folder) / "data"
            up = await _command(
                "up", "--data-dir", str(data), "--no-sandbox",
                "--exchange-url", f"binance={sandbox_url}",
                "--exchange-url", f"binanceusdm={sandbox_url}",
                "--exchange-url", f"kraken={sandbox_url}", *up_flags,
            )  # fmt: skip
            try:
                environment = await _environment(data / "candlelog.env", up)
                os.environ.update(environment)
                yield System(environment, sandbox_url, sandbox_pid, data)
            finally:
                await stop(up)


@contextlib.asynccontextmanager
async def _sandbox(generated: int, flags: Sequence[str]) -> AsyncGenerator[tuple[str, int]]:
    (port,) = free_ports(1, Random())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "candlelog_embedded.sandbox", "--port", str(port),
        "--generated", str(generated), "--capacity", "none", *flags,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        await stop(process)


def _candlelog() -> str:
    return str(Path(sys.executable).with_name("candlelog"))


async def _command(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        _candlelog(), *arguments, stdout=asyncio.subprocess.DEVNULL
    )


async def _output(*arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        _candlelog(), *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return output


async def _environment(file: Path, up: asyncio.subprocess.Process) -> dict[str, str]:
    async with asyncio.timeout(_START_SECONDS):
        while not file.exists():
            if up.returncode is not None:
                raise RuntimeError(f"candlelog up ended with {up.returncode}")
            await asyncio.sleep(0.1)
    return read_environment_file(file)


async def stop(process: asyncio.subprocess.Process) -> None:
    """Tell a process to end; kill it where it does not."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
