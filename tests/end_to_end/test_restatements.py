"""What a user sees of candles that the exchange corrects long after their close."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

import pytest
import pytest_asyncio
from tests.sandbox import Sandbox

from candlelog.market.timeframe import from_milliseconds
from candlelog_client.client import Candlelog

pytestmark = [
    pytest.mark.end_to_end, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

SERIES = {"exchange": "binance", "symbol": "SYNA/USDT", "timeframe": "1m"}
TIMES = {
    "start": datetime(2024, 6, 1, tzinfo=UTC),
    "end": datetime(2024, 6, 1, tzinfo=UTC) + timedelta(minutes=4_000),
}
ROUNDS = (0, 1, 2, 0)
"""A hundredth is changed; half of it again, the rest is back; all is back."""

Volumes = dict[datetime, float]


class Told(NamedTuple):
    """What the exchange told, and two moments between which nothing else was believed: one after
    it was stored, and one before it was asked again."""

    volumes: Volumes
    after: datetime
    before: datetime


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(system: tuple[Candlelog, Sandbox]) -> list[Told]:
    """The same range read in each of the rounds."""
    client, sandbox = system
    found: list[Told] = []
    for number in ROUNDS:
        await sandbox.turn("corrections", share=0.01, round=number)
        job = await client.jobs.submit(
            exchange="binance", symbols=[SERIES["symbol"]], timeframes=["1m"], **TIMES,
            features=False, incremental=False,
        )  # fmt: skip
        assert [state async for state in client.jobs.watch(job.id)][-1].status == "completed"
        after = await sandbox.now()
        rows = await sandbox.klines("SYNAUSDT", "1m", **TIMES)
        volumes = {from_milliseconds(row[0]): float(row[5]) for row in rows}
        found.append(Told(volumes, after, await sandbox.now()))
    return found


async def believed(client: Candlelog, as_of: datetime | None = None) -> Volumes:
    table = await client.candles(**SERIES, **TIMES, as_of=as_of).to_arrow()
    return dict(zip(table["open_time"].to_pylist(), table["volume"].to_pylist(), strict=True))


async def test_a_hundredth_was_corrected_and_some_of_it_twice(told: list[Told]):
    changes = [
        sum(now.volumes[time] != volume for time, volume in then.volumes.items())
        for then, now in pairwise(told)
    ]
    assert 20 < changes[2] < changes[0] == changes[1] < 80


async def test_a_refresh_finds_every_correction(
    system: tuple[Candlelog, Sandbox], told: list[Told]
):
    assert await believed(system[0]) == told[-1].volumes


async def test_as_of_any_moment_between_is_what_was_believed_then(
    system: tuple[Candlelog, Sandbox], told: list[Told]
):
    for each in told:
        assert await believed(system[0], each.after) == each.volumes
        assert await believed(system[0], each.before) == each.volumes


async def test_the_history_names_each_correction(
    system: tuple[Candlelog, Sandbox], told: list[Told]
):
    expected = {
        time: [volume for volume, _ in groupby(each.volumes[time] for each in told)]
        for time in told[0].volumes
    }
    history: dict[datetime, list[float]] = defaultdict(list)
    async for row in system[0].revisions(**SERIES, **TIMES):
        history[row.open_time].append(row.volume)
    assert history == {time: told for time, told in expected.items() if len(told) > 1}
