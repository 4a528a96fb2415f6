"""A job over forty series of which files lack: what it is told, and what the next one does."""

from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from tests.conftest import Launch
from tests.end_to_end.audits import audited
from tests.end_to_end.trees import path_of, put
from tests.sandbox import Sandbox, sandbox_of

from candlelog.market.timeframe import Timeframe
from candlelog_client.client import Candlelog
from candlelog_client.results import Job

pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

BASES = [f"GEN{number:03d}" for number in range(1, 11)]
TIMEFRAMES = ["1h", "2h", "4h", "1d"]
MONTHS = {
    month: datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
    for month in ("2024-01", "2024-02", "2024-03")
}
END = datetime(2024, 4, 1, tzinfo=UTC)
WANTED: dict[str, Any] = {
    "exchange": "binance", "symbols": [f"{base}/USDT" for base in BASES], "timeframes": TIMEFRAMES,
    "start": MONTHS["2024-01"], "end": END, "source": "archive", "features": False,
}  # fmt: skip


class File(NamedTuple):
    """The file of a month of a series."""

    base: str
    timeframe: str
    month: str

    @property
    def path(self) -> str:
        return path_of(f"{self.base}USDT", self.month, self.timeframe)

    @property
    def slots(self) -> int:
        start = MONTHS[self.month]
        end = Timeframe.parse("1M").advance(start, 1)
        return Timeframe.parse(self.timeframe).count(start, end)

    async def put(self, archive: Path, sandbox: Sandbox) -> None:
        await put(archive, sandbox, f"{self.base}USDT", self.month, timeframe=self.timeframe)


def files() -> Iterator[File]:
    for base in BASES:
        for timeframe in TIMEFRAMES:
            yield from (File(base, timeframe, month) for month in MONTHS)


FILES = list(files())
LACKING = FILES[::5]
"""Twenty-four of a hundred and twenty."""


class Course(NamedTuple):
    """What was told before the job, by it, and by the same command once the files were there."""

    named: set[str]
    first: Job
    unexplained: int
    read_first: dict[str, datetime]
    again: Job
    read_again: dict[str, datetime]
    requests: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def course(
    launch: Launch, system_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Course]:
    archive = tmp_path_factory.mktemp("archive")
    up = launch(system_dir, "--sandbox", "--archive", f"binance={archive}")
    async with up as client, sandbox_of(system_dir) as sandbox:
        await sandbox.turn("limits", capacity=None)
        for file in FILES:
            if file not in LACKING:
                await file.put(archive, sandbox)
        plan = await client.jobs.plan(**WANTED)
        named = {path for task in plan.tasks for path in task.missing_files}
        asked = len(await sandbox.asked())
        first = await audited(client, (await ended(client)).id)
        unexplained = sum([gap.slots async for gap in client.gaps(exchange="binance")])
        read_first, requests = await read(client), len(await sandbox.asked()) - asked
        for file in LACKING:
            await file.put(archive, sandbox)
        asked = len(await sandbox.asked())
        again = await ended(client)
        requests += len(await sandbox.asked()) - asked
        yield Course(named, first, unexplained, read_first, again, await read(client), requests)


async def ended(client: Candlelog) -> Job:
    job = await client.jobs.submit(**WANTED)
    return [state async for state in client.jobs.watch(job.id)][-1]


async def read(client: Candlelog) -> dict[str, datetime]:
    """When each file was read last."""
    return {file.path: file.read_at async for file in client.files(status="read")}


async def test_the_plan_names_every_missing_file(course: Course):
    assert course.named == {file.path for file in LACKING}


async def test_the_job_says_what_is_unexplained(course: Course):
    lacking = sum(file.slots for file in LACKING)
    assert course.first.status == "completed_with_errors"
    assert course.unexplained == lacking


async def test_the_same_command_completes_it_once_the_files_are_there(course: Course):
    assert course.again.status == "completed"
    assert course.read_again.keys() == {file.path for file in FILES}


async def test_no_finished_work_is_repeated(course: Course):
    assert course.again.candles_fetched == sum(file.slots for file in LACKING)
    before = {path: at for path, at in course.read_again.items() if path in course.read_first}
    assert before == course.read_first
    assert course.requests == 0
