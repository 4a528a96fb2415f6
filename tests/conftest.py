"""The whole system as a user starts it: `candlelog up` on a folder, and the client beside it."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from candlelog_client.client import Candlelog
from candlelog_client.connection import discover

CANDLELOG = Path(sys.executable).with_name("candlelog")
START_SECONDS, STOP_SECONDS = 300, 60

Launch = Callable[..., AbstractAsyncContextManager[Candlelog]]


@asynccontextmanager
async def launched(data_dir: Path, *flags: str) -> AsyncGenerator[Candlelog]:
    """A client of a system that runs on `data_dir` for as long as the block lasts."""
    output = data_dir.with_name(f"{data_dir.name}.out")
    await asyncio.to_thread(output.parent.mkdir, parents=True, exist_ok=True)
    with output.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            CANDLELOG, "up", "--data-dir", str(data_dir), *flags, stdout=file, stderr=file
        )
    try:
        await _ready(data_dir / "candlelog.env", process, output)
        connection = discover(data_dir, {})
        async with Candlelog(connection.url, connection.token) as client:
            yield client
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        code = await asyncio.wait_for(process.wait(), STOP_SECONDS)
    assert code == 0, said(output)


async def _ready(environment: Path, process: asyncio.subprocess.Process, output: Path) -> None:
    for _ in range(START_SECONDS * 10):
        if await asyncio.to_thread(environment.exists):
            return
        assert process.returncode is None, said(output)
        await asyncio.sleep(0.1)
    raise AssertionError(f"not ready after {START_SECONDS} s: {said(output)}")


def said(output: Path) -> str:
    """What the command has printed."""
    return output.read_text(errors="replace")


@contextmanager
def fresh_data_dir() -> Generator[Path]:
    """A folder for one system. Not `tmp_path`: every pytest that starts closes those to other
    accounts, and Postgres does not run as root."""
    with tempfile.TemporaryDirectory(prefix="candlelog-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "data"


@pytest.fixture
def data_dir() -> Generator[Path]:
    """The folder of a test."""
    with fresh_data_dir() as folder:
        yield folder


@pytest.fixture(scope="session")
def launch(request: pytest.FixtureRequest) -> Launch:
    """Starts a system, with as many of each service as the option `--replicas` says."""
    replicas = [
        flag for value in request.config.getoption("replicas") for flag in ("--replicas", value)
    ]

    def launch(data_dir: Path, *flags: str) -> AbstractAsyncContextManager[Candlelog]:
        return launched(data_dir, *replicas, *flags)

    return launch
