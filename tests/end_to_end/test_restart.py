"""From `candlelog up` to candles and features that are right, and across a restart.

The first run is asked for a month, for features of a set of the user's, and for more than it can
finish. The second one has a new version of that set.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import pytest_asyncio
from tests.conftest import Launch, fresh_data_dir
from tests.end_to_end.readers import Readers
from tests.sandbox import sandbox_of

from candlelog.stores.clickhouse import ClickHouse
from candlelog_client.client import Candlelog
from candlelog_client.connection import read_environment_file
from candlelog_client.demo import checks, market, truth
from candlelog_client.demo.checks import Check
from candlelog_client.errors import Conflict, Refused
from candlelog_client.results import Job

pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

MONTH = {"start": market.START, "end": market.END}
LONG_MS = 2_000  # for an answer: 45 pages are not there before the system ends
FEATURED = "SYNB/USDT"
SERIES = ("binance", FEATURED, "1m")
DAYS = {"start": "2024-02-01", "end": "2024-02-03"}
COUNT = 2 * 1440
MINE = """
name: mine
version: {version}
features:
  - {{indicator: SMA, parameters: {{timeperiod: {period}}}, columns: [trend]}}
  - {{indicator: RSI, parameters: {{timeperiod: 14}}, columns: [strength]}}
  - {{indicator: MACD, columns: [macd, macd_signal, macd_histogram]}}
"""
DAMAGED, DAMAGED_ROWS = "GEN001/USDT", 60
DAY = {"start": "2024-02-01", "end": "2024-02-02"}
DAMAGE = """
INSERT INTO candles SELECT * REPLACE (close * 2 AS close, high * 2 AS high) FROM candles FINAL
WHERE symbol = 'GEN001/USDT'
    AND open_time >= '2024-02-01 12:00:00' AND open_time < '2024-02-01 13:00:00'
"""


@dataclass(frozen=True)
class FirstRun:
    """What the first run was asked for, as it was when that run ended."""

    data_dir: Path
    flags: tuple[str, ...]
    month: Job
    equal_to_the_archive: list[Check]
    features: int
    unfinished: Job


def write(folder: Path, *, version: int, period: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"mine-{version}.yaml").write_text(MINE.format(version=version, period=period))


async def submitted(client: Candlelog, symbol: str, **fields) -> Job:
    request = {"exchange": "binance", "symbols": [symbol], "timeframes": ["1m"]}
    return await client.jobs.submit(**{**request, **fields})


async def ended(client: Candlelog, job_id: str) -> Job:
    return [job async for job in client.jobs.watch(job_id)][-1]


async def read(client: Candlelog, feature_set: str = "mine") -> pa.Table:
    return await client.features(*SERIES, feature_set=feature_set, **DAYS).to_arrow()


async def against_the_archive(client: Candlelog, timeframe: str) -> Check:
    wanted = market.Wanted(market.SAMPLE, timeframe)
    table = await client.candles("binance", market.SAMPLE, timeframe, **MONTH).to_arrow()
    return checks.candles_equal(wanted.name, wanted.truth(), truth.stored(table))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def first_run(launch: Launch) -> AsyncGenerator[FirstRun]:
    with fresh_data_dir() as data_dir:
        folder = data_dir.with_name("sets")
        flags = ("--sandbox", "--feature-sets", str(folder))
        await asyncio.to_thread(write, folder, version=1, period=20)
        async with launch(data_dir, *flags) as client, sandbox_of(data_dir) as sandbox:
            month = await submitted(client, market.SAMPLE, timeframes=["1m", "1h"], **MONTH)
            mine = await submitted(client, FEATURED, feature_sets=["mine"], **DAYS)
            month = await ended(client, month.id)
            assert (await ended(client, mine.id)).status == "completed"
            equal = [await against_the_archive(client, timeframe) for timeframe in ("1m", "1h")]
            features = (await read(client)).num_rows
            await sandbox.turn("latency", milliseconds=LONG_MS)
            longer = await submitted(client, "SYNA/USDT", start="2023-01-01", end="2023-02-01")
            async for unfinished in client.jobs.watch(longer.id):
                if unfinished.candles_stored:
                    break
        yield FirstRun(data_dir, flags, month, equal, features, unfinished)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(launch: Launch, first_run: FirstRun) -> AsyncGenerator[Candlelog]:
    """A client of the second run."""
    folder = first_run.data_dir.with_name("sets")
    await asyncio.to_thread(write, folder, version=2, period=30)
    async with launch(first_run.data_dir, *first_run.flags) as client:
        yield client


async def test_a_month_equals_the_archive(first_run: FirstRun):
    month = first_run.month
    assert (month.status, month.progress_pct) == ("completed", 100.0)
    assert month.candles_stored == 41_760 + 696
    for check in first_run.equal_to_the_archive:
        assert check.holds, f"{check.claim}: {check.found}"


async def test_a_set_of_the_user_is_computed_for_every_candle(first_run: FirstRun):
    assert first_run.features == COUNT


async def test_a_job_goes_on_after_a_restart_where_it_was(first_run: FirstRun, client: Candlelog):
    assert first_run.unfinished.status == "running"
    done = await ended(client, first_run.unfinished.id)
    assert (done.status, done.candles_stored) == ("completed", 44_640)


async def test_what_was_stored_before_a_restart_is_kept_and_not_asked_for_again(client: Candlelog):
    check = await against_the_archive(client, "1m")
    assert check.holds, f"{check.claim}: {check.found}"
    again = await ended(client, (await submitted(client, market.SAMPLE, **MONTH)).id)
    assert (again.status, again.candles_stored) == ("completed", 0)


def unlike(old: pa.ChunkedArray, new: pa.ChunkedArray) -> int:
    """In how many rows the one is null and the other not, or the two numbers are apart."""
    first, second = old.to_numpy(), new.to_numpy()
    largest = np.nanmax(np.abs([first, second]))
    apart = np.abs(first - second) > 1e-9 * largest
    return int((apart | (np.isnan(first) != np.isnan(second))).sum())


async def test_a_changed_parameter_is_named_and_switched_to_and_back_at_once(client: Candlelog):
    with pytest.raises(Refused, match="has no candles in this range"):
        await client.replays.features("binance", [FEATURED], ["1m"], start="2031-01-01")
    replay = await client.replays.features("binance", [FEATURED], ["1m"], feature_set="mine/2")
    done = await ended(client, replay.id)
    assert (done.status, done.progress_pct, done.features_stored) == ("completed", 100.0, COUNT)

    (series,) = (await client.replays.get(replay.id)).series
    assert (series.old.state, series.new.state) == ("serving", "beside")
    found = series.difference
    assert [each.column for each in found.columns_changed] == ["trend"]
    assert (found.rows_compared, found.rows_only_old, found.rows_only_new) == (COUNT, 0, 0)
    old, new = [(await read(client, f"mine/{version}"))["trend"] for version in (1, 2)]
    assert found.rows_changed == found.columns_changed[0].rows_changed == unlike(old, new)
    assert 0 < found.columns_changed[0].largest_relative_change < 1

    whole = {version: await read(client, f"mine/{version}") for version in (1, 2)}
    async with Readers.at_work(lambda: read(client), whole) as readers:
        await readers.see(1)
        assert (await client.replays.switch(replay.id)).switched
        assert set((await read(client))["version"].to_pylist()) == {2}
        await readers.see(2)
        with pytest.raises(Conflict, match="served already"):
            await client.replays.switch(replay.id)
        assert not (await client.replays.switch_back(replay.id)).switched
        assert set((await read(client))["version"].to_pylist()) == {1}
        await readers.see(1)
        await client.replays.switch(replay.id)
        await readers.see(2)

    later = {"start": "2024-02-03", "end": "2024-02-04"}
    job = await submitted(client, FEATURED, features=False, **later)
    assert (await ended(client, job.id)).status == "completed"
    for name, version in (("mine", 2), ("mine/1", 1)):
        table = await client.features(*SERIES, feature_set=name, **later).to_arrow()
        assert (table.num_rows, set(table["version"].to_pylist())) == (1440, {version})

    part = await client.replays.features(
        "binance", [FEATURED], ["1m"], feature_set="mine/1", **later
    )
    assert (await ended(client, part.id)).status == "completed"
    with pytest.raises(Conflict, match="2880 candles would lose their features"):
        await client.replays.switch(part.id)
    assert set((await read(client))["version"].to_pylist()) == {2}
    await client.replays.close(part.id)
    await client.replays.close(replay.id)
    with pytest.raises(Conflict, match="closed"):
        await client.replays.switch_back(replay.id)
    assert (await read(client, "mine/1")).num_rows == 0


async def closes(client: Candlelog) -> np.ndarray:
    return (await client.candles("binance", DAMAGED, "1m", **DAY).to_arrow())["close"].to_numpy()


async def averages(client: Candlelog) -> np.ndarray:
    found = await client.features("binance", DAMAGED, "1m", **DAY).to_arrow()
    return found["sma_7"].to_numpy()[6:]


def means(values: np.ndarray) -> np.ndarray:
    """The mean of every seven in a row."""
    return np.lib.stride_tricks.sliding_window_view(values, 7).mean(axis=1)


async def damaged(data_dir: Path) -> int:
    """Damage an hour of candles in the store; returns how many candles there are in all."""
    environment = read_environment_file(data_dir / "candlelog.env")
    store = ClickHouse(environment["CANDLELOG_CLICKHOUSE_URL"])
    try:
        await store.command(DAMAGE)
        ((count,),) = await store.query("SELECT count() FROM candles_latest")
    finally:
        await store.close()
    return count


async def test_damaged_candles_are_found_and_gone_after_a_switch_and_so_are_their_features(
    first_run: FirstRun, client: Candlelog
):
    await ended(client, first_run.unfinished.id)  # what it stores would count as missing
    job = await submitted(client, DAMAGED, features=False, **DAY)
    assert (await ended(client, job.id)).status == "completed"
    sound = await closes(client)
    count = await damaged(first_run.data_dir)
    job = await submitted(client, DAMAGED, features=True, **DAY)
    assert (await ended(client, job.id)).status == "completed"
    wrong = await closes(client)
    assert np.allclose(await averages(client), means(wrong))

    replay = await client.replays.candles()
    with pytest.raises(Conflict, match="open"):
        await client.replays.candles()
    assert (await ended(client, replay.id)).progress_pct == 100.0
    found = (await client.replays.get(replay.id)).comparison
    assert (found.rows_compared, found.rows_changed) == (count, DAMAGED_ROWS)
    assert (found.rows_only_live, found.rows_only_shadow) == (0, 0)
    (series,) = found.series
    assert (series.symbol, series.first.hour, series.last.minute) == (DAMAGED, 12, 59)
    assert {each.column: round(each.largest_relative_change, 9) for each in series.columns} == {
        "high": 0.5, "close": 0.5,
    }  # fmt: skip

    assert (await client.replays.switch(replay.id)).switched
    assert np.array_equal(await closes(client), sound)
    async with asyncio.timeout(240):
        while not np.allclose(await averages(client), means(sound)):  # noqa: ASYNC110 -- another system's news
            await asyncio.sleep(0.2)
    assert not (await client.replays.switch_back(replay.id)).switched
    assert np.array_equal(await closes(client), wrong)
    await client.replays.switch(replay.id)
    assert (await client.replays.close(replay.id)).closed
    assert np.array_equal(await closes(client), sound)
    with pytest.raises(Conflict, match="closed"):
        await client.replays.switch_back(replay.id)
