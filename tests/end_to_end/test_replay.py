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

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

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


class Readers:
    """Two who read the features again and again, and the version that was read last.

    Every answer holds all rows of one version, as they are known to be (`whole`).
    """

    def __init__(self, client, whole: dict[int, pa.Table]) -> None:
        self._client = client
        self._whole = whole
        self._enough = False
        self._version = 0
        self._read = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def at_work(cls, client) -> AsyncGenerator["Readers"]:
        """They read for as long as the block lasts."""
        readers = cls(
            client, {version: await read(client, f"mine/{version}") for version in (1, 2)}
        )
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(readers._poll())
            yield readers
            readers._enough = True

    async def see(self, version: int) -> None:
        """Return once one of them has read this version."""
        while self._version != version:
            self._read.clear()
            await self._read.wait()

    async def _poll(self) -> None:
        while not self._enough:
            found = await read(self._client)
            version = found["version"][0].as_py()
            assert found.equals(self._whole[version]), "a mixture, or a hole"
            self._version = version
            self._read.set()


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

        async with Readers.at_work(client) as readers:
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
        assert set((await read(client))["version"].to_pylist()) == {2}
        await client.replays.close(part.id)
        await client.replays.close(replay.id)
        with pytest.raises(Conflict, match="closed"):
            await client.replays.switch_back(replay.id)
        assert (await read(client, "mine/1")).num_rows == 0
