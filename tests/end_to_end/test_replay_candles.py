"""Candles that were damaged in the store are rebuilt from the log, and their features follow."""

import asyncio

import numpy as np
import pytest

from candlelog.stores.clickhouse import ClickHouse
from candlelog_client.demo import market
from candlelog_client.errors import Conflict

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

SERIES = ("binance", market.SAMPLE, "1m")
DAY = {"start": "2024-02-01", "end": "2024-02-02"}
COUNT = 1440
DAMAGED = 60
DAMAGE = """
INSERT INTO candles SELECT * REPLACE (close * 2 AS close, high * 2 AS high) FROM candles FINAL
WHERE open_time >= '2024-02-01 12:00:00' AND open_time < '2024-02-01 13:00:00'
"""


async def ended(client, job):
    return [each async for each in client.jobs.watch(job.id)][-1]


async def backfilled(client, **fields):
    job = await client.jobs.submit(
        exchange="binance", symbols=[market.SAMPLE], timeframes=["1m"], **DAY, **fields
    )
    assert (await ended(client, job)).status == "completed"


async def closes(client) -> np.ndarray:
    return (await client.candles(*SERIES, **DAY).to_arrow())["close"].to_numpy()


async def averages(client) -> np.ndarray:
    found = await client.features(*SERIES, **DAY).to_arrow()
    return found["sma_7"].to_numpy()[6:]


def means(values: np.ndarray) -> np.ndarray:
    """The mean of every seven in a row."""
    return np.lib.stride_tricks.sliding_window_view(values, 7).mean(axis=1)


async def test_damaged_candles_are_found_and_gone_after_a_switch_and_so_are_their_features(
    launch, data_dir
):
    async with launch(data_dir, "--sandbox") as client:
        await backfilled(client, features=False)
        sound = await closes(client)
        environment = (data_dir / "candlelog.env").read_text().splitlines()
        url = dict(line.split("=", 1) for line in environment)["CANDLELOG_CLICKHOUSE_URL"]
        store = ClickHouse(url)
        await store.command(DAMAGE)
        await store.close()
        await backfilled(client, features=True)
        damaged = await closes(client)
        assert np.allclose(await averages(client), means(damaged))

        replay = await client.replays.candles()
        with pytest.raises(Conflict, match="open"):
            await client.replays.candles()
        assert (await ended(client, replay)).progress_pct == 100.0
        found = (await client.replays.get(replay.id)).comparison
        assert (found.rows_compared, found.rows_changed) == (COUNT, DAMAGED)
        assert (found.rows_only_live, found.rows_only_shadow) == (0, 0)
        (series,) = found.series
        assert (series.symbol, series.first.hour, series.last.minute) == (market.SAMPLE, 12, 59)
        assert {each.column: round(each.largest_relative_change, 9) for each in series.columns} == {
            "high": 0.5, "close": 0.5,
        }  # fmt: skip

        assert (await client.replays.switch(replay.id)).switched
        assert np.array_equal(await closes(client), sound)
        async with asyncio.timeout(240):
            while not np.allclose(await averages(client), means(sound)):  # noqa: ASYNC110 -- another system's news
                await asyncio.sleep(0.2)
        assert not (await client.replays.switch_back(replay.id)).switched
        assert np.array_equal(await closes(client), damaged)
        await client.replays.switch(replay.id)
        assert (await client.replays.close(replay.id)).closed
        assert np.array_equal(await closes(client), sound)
        with pytest.raises(Conflict, match="closed"):
            await client.replays.switch_back(replay.id)
