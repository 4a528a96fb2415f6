"""What a user sees of candles that lie in files of an archive."""

import hashlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.conftest import Launch
from tests.end_to_end.audits import audited
from tests.end_to_end.trees import path_of, put
from tests.sandbox import Sandbox, sandbox_of

from candlelog_client.client import Candlelog
from candlelog_client.results import Job

pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

JANUARY, FEBRUARY, MARCH, APRIL = (datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))
SLOTS = 29 * 24
"""Hours of February."""
SEAM = 24


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the archive, empty at first."""
    return tmp_path_factory.mktemp("archive")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(
    launch: Launch, system_dir: Path, archive: Path
) -> AsyncGenerator[tuple[Candlelog, Sandbox]]:
    """A system that has an archive beside its sandbox."""
    up = launch(system_dir, "--sandbox", "--archive", f"binance={archive}")
    async with up as client, sandbox_of(system_dir) as sandbox:
        yield client, sandbox


async def ended(client: Candlelog, symbol: str, **wanted: Any) -> Job:
    given: dict[str, Any] = {"start": FEBRUARY, "end": MARCH, "features": False} | wanted
    job = await client.jobs.submit(exchange="binance", symbols=[symbol], timeframes=["1h"], **given)
    return [state async for state in client.jobs.watch(job.id)][-1]


async def stored(client: Candlelog, symbol: str) -> list[tuple[datetime, float, str]]:
    table = await client.candles("binance", symbol, "1h").to_arrow()
    return list(
        zip(*(table[name].to_pylist() for name in ("open_time", "volume", "source")), strict=True)
    )


async def test_a_month_that_lies_in_the_archive_costs_no_request(
    system: tuple[Candlelog, Sandbox], archive: Path
):
    client, sandbox = system
    await put(archive, sandbox, "SYNAUSDT", "2024-02")
    asked = len(await sandbox.asked())
    job = await ended(client, "SYNA/USDT")
    assert (job.status, job.candles_stored) == ("completed", SLOTS)
    assert len(await sandbox.asked()) == asked
    rows = await sandbox.klines("SYNAUSDT", "1h", FEBRUARY, MARCH)
    assert await stored(client, "SYNA/USDT") == [
        (datetime.fromtimestamp(row[0] / 1000, UTC), float(row[5]), "archive") for row in rows
    ]


async def test_a_file_that_was_read_is_told_with_its_content(
    system: tuple[Candlelog, Sandbox], archive: Path
):
    client, sandbox = system
    await put(archive, sandbox, "GEN001USDT", "2024-02")
    await ended(client, "GEN001/USDT")
    (file,) = [each async for each in client.files(symbol="GEN001/USDT")]
    path = path_of("GEN001USDT", "2024-02")
    content = (archive / path).read_bytes()
    assert (file.path, file.status, file.rows) == (path, "read", SLOTS)
    assert (file.sha256, file.size) == (hashlib.sha256(content).hexdigest(), len(content))


async def test_what_no_file_holds_is_asked_of_the_exchange(
    system: tuple[Candlelog, Sandbox], archive: Path
):
    client, sandbox = system
    await put(archive, sandbox, "GEN002USDT", "2024-02")
    job = await ended(client, "GEN002/USDT", end=APRIL)
    assert job.status == "completed"
    sources = [source for _, _, source in await stored(client, "GEN002/USDT")]
    assert sources[: SLOTS - SEAM] == ["archive"] * (SLOTS - SEAM)
    assert sources[SLOTS:] == ["rest"] * 31 * 24


async def test_where_a_file_and_the_exchange_meet_both_are_read_and_counted(
    system: tuple[Candlelog, Sandbox], archive: Path
):
    client, sandbox = system
    await put(archive, sandbox, "GEN005USDT", "2024-02")
    job = await ended(client, "GEN005/USDT", end=APRIL)
    assert (job.candles_stored, job.candles_expected) == (SLOTS + 31 * 24 + SEAM,) * 2
    (seam,) = [each async for each in client.seams(symbol="GEN005/USDT")]
    assert (seam.end, seam.slots, seam.differing) == (MARCH, SEAM, 0)


async def test_of_files_alone_those_that_lack_are_named_and_then_read(
    system: tuple[Candlelog, Sandbox], archive: Path
):
    client, sandbox = system
    await put(archive, sandbox, "GEN003USDT", "2024-02")
    wanted: dict[str, Any] = {"source": "archive", "start": JANUARY, "features": False}
    plan = await client.jobs.plan(
        exchange="binance", symbols=["GEN003/USDT"], timeframes=["1h"], end=MARCH, **wanted
    )
    assert plan.tasks[0].missing_files == (path_of("GEN003USDT", "2024-01"),)
    first = await ended(client, "GEN003/USDT", **wanted)
    assert (first.status, first.candles_stored) == ("completed_with_errors", SLOTS)
    await put(archive, sandbox, "GEN003USDT", "2024-01")
    again = await ended(client, "GEN003/USDT", **wanted)
    assert (again.status, again.candles_fetched) == ("completed", 31 * 24)


async def test_days_that_a_month_lacks_are_a_gap_and_the_same_command_asks_the_exchange_for_them(
    system: tuple[Candlelog, Sandbox], archive: Path
):
    client, sandbox = system
    end = FEBRUARY + timedelta(days=20)
    await put(archive, sandbox, "GEN006USDT", "2024-02", until=end)
    job = await audited(client, (await ended(client, "GEN006/USDT")).id)
    assert (job.status, job.candles_stored) == ("completed_with_errors", 20 * 24)
    (gap,) = [each async for each in client.gaps(symbol="GEN006/USDT")]
    assert (gap.start, gap.end) == (end, MARCH)
    again = await ended(client, "GEN006/USDT")
    assert (again.status, again.candles_fetched) == ("completed", 9 * 24)
    sources = [source for _, _, source in await stored(client, "GEN006/USDT")]
    assert sources == ["archive"] * 20 * 24 + ["rest"] * 9 * 24


async def test_a_file_with_another_checksum_is_refused_and_read_once_it_is_mended(
    system: tuple[Candlelog, Sandbox], archive: Path
):
    client, sandbox = system
    await put(archive, sandbox, "GEN004USDT", "2024-02", checksum="0" * 64)
    job = await ended(client, "GEN004/USDT", source="archive")
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.code == "checksum_mismatch"
    (file,) = [each async for each in client.files(status="refused")]
    assert file.path == path_of("GEN004USDT", "2024-02")
    await put(archive, sandbox, "GEN004USDT", "2024-02")
    mended = await ended(client, "GEN004/USDT", source="archive")
    assert (mended.status, mended.candles_stored) == ("completed", SLOTS)
    assert [each async for each in client.files(status="refused")] == []
