"""What a user sees of an archive that lies behind an HTTP address."""

import sys
from asyncio import create_subprocess_exec, subprocess
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio
from tests.conftest import Launch
from tests.sandbox import Sandbox

from candlelog_client.client import Candlelog
from candlelog_client.results import Job

pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

FEBRUARY, MARCH = datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
HOURS = 29 * 24


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(launch: Launch, system_dir) -> AsyncGenerator[tuple[Candlelog, Sandbox]]:
    """A system whose exchange has an archive, too."""
    process = await create_subprocess_exec(
        sys.executable, "-m", "candlelog_embedded.sandbox", "--port", "0", stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().split()[-1]
    flags = (
        "--no-sandbox", "--exchange-url", f"binance={url}", "--archive", f"binance={url}/archive",
    )  # fmt: skip
    try:
        async with (
            httpx.AsyncClient(base_url=url, trust_env=False) as http,
            launch(system_dir, *flags) as client,
        ):
            yield client, Sandbox(http)
    finally:
        process.terminate()
        await process.wait()


async def ended(client: Candlelog) -> Job:
    job = await client.jobs.submit(
        exchange="binance", symbols=["SYNA/USDT"], timeframes=["1h"], source="archive",
        start=FEBRUARY, end=MARCH, features=False,
    )  # fmt: skip
    return [state async for state in client.jobs.watch(job.id)][-1]


async def volumes(client: Candlelog) -> list[float]:
    table = await client.candles("binance", "SYNA/USDT", "1h").to_arrow()
    return table["volume"].to_pylist()


async def test_a_month_is_read_over_http_and_read_again_when_its_tag_has_changed(
    system: tuple[Candlelog, Sandbox],
):
    client, sandbox = system
    first = await ended(client)
    assert (first.status, first.candles_stored) == ("completed", HOURS)
    rows = await sandbox.klines("SYNAUSDT", "1h", FEBRUARY, MARCH)
    assert await volumes(client) == [float(row[5]) for row in rows]
    again = await ended(client)
    assert (again.status, again.candles_fetched) == ("completed", 0)
    await sandbox.turn("corrections", share=0.01, round=1)
    corrected = await ended(client)
    rows = await sandbox.klines("SYNAUSDT", "1h", FEBRUARY, MARCH)
    assert (corrected.status, corrected.candles_stored) == ("completed", HOURS)
    assert await volumes(client) == [float(row[5]) for row in rows]
    changed = {row.open_time async for row in client.revisions("binance", "SYNA/USDT", "1h")}
    assert len(changed) > 10
