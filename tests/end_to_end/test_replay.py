"""A feature set with one changed parameter: what differs is named, and switched to as a whole."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from candlelog_client.demo import market
from candlelog_client.errors import Conflict, Refused

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]

SERIES = ("binance", market.SAMPLE, "1m")
DAY = {"start": "2024-02-01", "end": "2024-02-03"}
COUNT = 2 * 1440
MINE = """
name: mine
version: {version}
features:
  - {{indicator: SMA, parameters: {{timeperiod: {period}}}, columns: [trend]}}
  - {{indicator: RSI, parameters: {{timeperiod: 14}}, columns: [strength]}}
  - {{indicator: MACD, columns: [macd, macd_signal, macd_histogram]}}
"""


def write(folder: Path, *, version: int, period: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"mine-{version}.yaml").write_text(MINE.format(version=version, period=period))


def unlike(old: pa.ChunkedArray, new: pa.ChunkedArray) -> int:
    """In how many rows the one is null and the other not, or the two numbers are apart."""
    first, second = old.to_numpy(), new.to_numpy()
    largest = np.nanmax(np.abs([first, second]))
    apart = np.abs(first - second) > 1e-9 * largest
    return int((apart | (np.isnan(first) != np.isnan(second))).sum())


async def ended(client, job_id: str):
    return [job async for job in client.jobs.watch(job_id)][-1]


async def read(client, feature_set: str = "mine") -> pa.Table:
    return await client.features(*SERIES, feature_set=feature_set, **DAY).to_arrow()


@asynccontextmanager
async def watched(client) -> AsyncGenerator[list[int]]:
    """Poll the features for as long as the block lasts, by two readers: versions as they come.

    Every answer holds all rows, those of one version, and equal to what that version is.
    """
    whole = {version: (await read(client, f"mine/{version}")) for version in (1, 2)}
    seen: list[int] = []
    enough = asyncio.Event()

    async def poll() -> None:
        while not enough.is_set():
            found = await read(client)
            version = found["version"][0].as_py()
            assert found.equals(whole[version]), "a mixture, or a hole"
            seen.append(version)

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(poll())
        yield seen
        enough.set()


async def test_a_changed_parameter_is_named_and_switched_to_and_back_at_once(launch, data_dir):
    folder = data_dir.with_name("sets")
    write(folder, version=1, period=20)
    flags = ("--sandbox", "--feature-sets", str(folder))
    async with launch(data_dir, *flags) as client:
        job = await client.jobs.submit(
            exchange="binance", symbols=[market.SAMPLE], timeframes=["1m"],
            feature_sets=["mine"], **DAY,
        )  # fmt: skip
        assert (await ended(client, job.id)).status == "completed"
        assert (await read(client)).num_rows == COUNT

    write(folder, version=2, period=30)
    async with launch(data_dir, *flags) as client:
        with pytest.raises(Refused, match="has no candles in this range"):
            await client.replays.features("binance", [market.SAMPLE], ["1m"], start="2031-01-01")
        replay = await client.replays.features(
            "binance", [market.SAMPLE], ["1m"], feature_set="mine/2"
        )
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

        async with watched(client) as seen:
            assert (await client.replays.switch(replay.id)).switched
            assert {row["version"] for row in (await read(client)).to_pylist()} == {2}
            with pytest.raises(Conflict, match="served already"):
                await client.replays.switch(replay.id)
            assert not (await client.replays.switch_back(replay.id)).switched
            assert {row["version"] for row in (await read(client)).to_pylist()} == {1}
            await client.replays.switch(replay.id)
        assert set(seen) == {1, 2}

        job = await client.jobs.submit(
            exchange="binance", symbols=[market.SAMPLE], timeframes=["1m"], features=False,
            start="2024-02-03", end="2024-02-04",
        )  # fmt: skip
        assert (await ended(client, job.id)).status == "completed"
        later = {"start": "2024-02-03", "end": "2024-02-04"}
        for name, version in (("mine", 2), ("mine/1", 1)):
            table = await client.features(*SERIES, feature_set=name, **later).to_arrow()
            assert (table.num_rows, set(table["version"].to_pylist())) == (1440, {version})

        part = await client.replays.features(
            "binance", [market.SAMPLE], ["1m"], feature_set="mine/1", **later
        )
        assert (await ended(client, part.id)).status == "completed"
        with pytest.raises(Conflict, match="2880 candles would lose their features"):
            await client.replays.switch(part.id)
        assert {row["version"] for row in (await read(client)).to_pylist()} == {2}
        await client.replays.close(part.id)
        await client.replays.close(replay.id)
        with pytest.raises(Conflict, match="closed"):
            await client.replays.switch_back(replay.id)
        assert (await read(client, "mine/1")).num_rows == 0
