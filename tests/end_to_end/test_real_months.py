"""Real months by archive and by REST, of one exchange: the same tables."""

import os
import sys
from asyncio import create_subprocess_exec, subprocess
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.conftest import Launch, fresh_data_dir

from candlelog_client.client import Candlelog

REAL_DATA = Path(os.environ.get("CANDLELOG_REAL_DATA", Path(__file__).parents[3] / "shared/data"))
pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900),
    pytest.mark.skipif(not REAL_DATA.exists(), reason=f"no real market data at {REAL_DATA}"),
]  # fmt: skip

MARKET = REAL_DATA / "binance"
SYMBOLS = [f"{base}/USDT:USDT" for base in ("AVAX", "FIL", "NEAR")]
FEBRUARY = {
    "start": datetime(2024, 2, 1, tzinfo=UTC), "end": datetime(2024, 3, 1, tzinfo=UTC),
}  # fmt: skip
MINUTES = 29 * 1440
HOW_READ = ["source", "observed_at"]


@pytest.fixture
async def exchange_url() -> AsyncGenerator[str]:
    """An exchange that serves the months as its candles."""
    process = await create_subprocess_exec(
        sys.executable, "-m", "candlelog_embedded.sandbox", "--port", "0",
        "--market", str(MARKET), "--capacity", "none", stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    yield (await process.stdout.readline()).decode().split()[-1]
    process.terminate()
    await process.wait()


async def fetched(client: Candlelog, source: str) -> tuple[pa.Table, list[Any]]:
    """All candles of the three months, and the states of their slots."""
    job = await client.jobs.submit(
        exchange="binanceusdm", symbols=SYMBOLS, timeframes=["1m"], source=source,
        features=False, **FEBRUARY,
    )  # fmt: skip
    last = [state async for state in client.jobs.watch(job.id)][-1]
    assert (last.status, last.candles_stored) == ("completed", len(SYMBOLS) * MINUTES)
    tables, states = [], []
    for symbol in SYMBOLS:
        tables.append(await client.candles("binanceusdm", symbol, "1m", **FEBRUARY).to_arrow())
        runs = client.coverage("binanceusdm", symbol, "1m", **FEBRUARY)
        states += [(symbol, run.start, run.end, run.state) async for run in runs]
    return pa.concat_tables(tables), states


async def test_three_months_by_archive_and_by_rest_are_the_same_tables(
    launch: Launch, exchange_url: str
):
    flags = ("--no-sandbox", "--exchange-url", f"binanceusdm={exchange_url}")
    tables, states = {}, {}
    for source in ("archive", "rest"):
        with fresh_data_dir() as folder:
            async with launch(folder, *flags, "--archive", f"binance={MARKET}") as client:
                tables[source], states[source] = await fetched(client, source)
    assert tables["archive"].num_rows == len(SYMBOLS) * MINUTES
    assert set(tables["archive"]["source"].to_pylist()) == {"archive"}
    assert set(tables["rest"]["source"].to_pylist()) == {"rest"}
    assert tables["archive"].drop_columns(HOW_READ).equals(tables["rest"].drop_columns(HOW_READ))
    assert states["archive"] == states["rest"]
