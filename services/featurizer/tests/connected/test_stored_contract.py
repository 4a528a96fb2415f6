"""What both kinds of `Stored` promise: the engine and the one in memory."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.databases import clickhouse_database, clickhouse_database_url, empty

from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fields import EARLIEST
from candlelog.market.series import Series
from candlelog.market.timeframe import milliseconds
from candlelog.stores.clickhouse import ClickHouse
from featurizer.adapters.candles import ClickHouseStored
from featurizer.adapters.memory import MemoryStored
from featurizer.domain.requests import Build
from featurizer.ports import Stored

pytestmark = pytest.mark.connected

START = 1_706_745_600_000
MINUTE = 60_000
BTC = Series("binance", "BTC/USDT", "1m")
ETH = Series("binance", "ETH/USDT", "1m")


@dataclass
class Store:
    """A `Stored`, and a way to put candles into it: minutes after START, with a close each."""

    stored: Stored
    put: Callable[[Series, dict[int, float]], Awaitable[None]]


@pytest.fixture(scope="module")
async def migrated(clickhouse_server_url: str) -> AsyncGenerator[ClickHouse]:
    """A database of this module alone."""
    async with clickhouse_database(clickhouse_database_url(clickhouse_server_url, "stored")) as it:
        yield it


@pytest.fixture
async def clickhouse(migrated: ClickHouse) -> ClickHouse:
    """The engine without a candle and without a build."""
    await empty(migrated)
    return migrated


@pytest.fixture(params=["memory", "clickhouse"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return in_memory()
    return on_engine(request.getfixturevalue("clickhouse"))


def in_memory() -> Store:
    stored = MemoryStored()

    async def put(series: Series, closes: dict[int, float]) -> None:
        rows = stored.rows.setdefault(series, {})
        rows.update(
            {START + at * MINUTE: (1.0, 9.0, 1.0, close, 2.0) for at, close in closes.items()}
        )

    return Store(stored, put)


def on_engine(clickhouse: ClickHouse) -> Store:
    written = 0

    async def put(series: Series, closes: dict[int, float]) -> None:
        nonlocal written
        written += 1
        rows = [
            {
                "exchange": series.exchange, "symbol": series.symbol, "timeframe": series.timeframe,
                "open_time": START + at * MINUTE, "open": 1.0, "high": 9.0, "low": 1.0,
                "close": close, "volume": 2.0, "source": "rest", "observed_at": START + written,
            }
            for at, close in closes.items()
        ]  # fmt: skip
        table = pa.Table.from_pylist(rows)
        for name in ("open_time", "observed_at"):
            index = table.schema.get_field_index(name)
            table = table.set_column(
                index, name, table.column(name).cast(pa.timestamp("ms", "UTC"))
            )
        await clickhouse.insert_arrow("candles", table)

    return Store(ClickHouseStored(clickhouse), put)


async def minutes(
    store: Store, start: int, *, before: int, most: int, series: Series = BTC
) -> list[int]:
    first = START + start * MINUTE
    found = await store.stored.candles(series, first, before=before, most=most)
    return [(time - START) // MINUTE for time in found.open_time.tolist()]


async def test_candles_come_with_those_before_them(store: Store):
    await store.put(BTC, dict.fromkeys(range(6), 5.0))
    assert await minutes(store, 4, before=3, most=10) == [1, 2, 3, 4, 5]


async def test_no_more_candles_come_than_were_asked_for(store: Store):
    await store.put(BTC, dict.fromkeys(range(10), 5.0))
    assert await minutes(store, 4, before=1, most=2) == [3, 4, 5]


async def test_candles_far_away_are_found_across_holes(store: Store):
    await store.put(BTC, dict.fromkeys([0, 1, 500_000, 900_000, 900_001, 2_000_000], 5.0))
    found = await minutes(store, 600_000, before=3, most=3)
    assert found == [0, 1, 500_000, 900_000, 900_001, 2_000_000]


async def test_a_series_is_read_from_its_beginning(store: Store):
    await store.put(BTC, dict.fromkeys([3, 7, 8], 5.0))
    found = await store.stored.candles(BTC, milliseconds(EARLIEST), before=5, most=2)
    assert found.open_time.tolist() == [START + 3 * MINUTE, START + 7 * MINUTE]


@pytest.mark.parametrize(("series", "places"), [(BTC, [3, 7]), (ETH, [])])
async def test_a_series_that_is_read_from_its_beginning_may_be_shorter(
    store: Store, series: Series, places: list[int]
):
    await store.put(BTC, dict.fromkeys([3, 7], 5.0))
    found = await store.stored.candles(series, milliseconds(EARLIEST), before=5, most=10)
    assert found.open_time.tolist() == [START + at * MINUTE for at in places]


async def test_there_may_be_fewer_candles_than_wanted(store: Store):
    await store.put(BTC, dict.fromkeys([3, 7], 5.0))
    assert await minutes(store, 5, before=10, most=10) == [3, 7]


async def test_a_series_without_candles_has_none(store: Store):
    await store.put(ETH, {0: 5.0})
    assert await minutes(store, 0, before=10, most=10) == []


async def test_values_come_as_columns_and_the_newest_version_counts(store: Store):
    await store.put(BTC, {0: 5.0, 1: 6.0})
    await store.put(BTC, {1: 7.0})
    found = await store.stored.candles(BTC, START, before=1, most=9)
    assert found.close.tolist() == [5.0, 7.0]
    assert (found.high.dtype, found.volume.tolist()) == (np.float64, [2.0, 2.0])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    held=st.sets(st.integers(0, 5_000), max_size=30),
    start=st.integers(0, 5_000),
    before=st.integers(1, 20),
    most=st.integers(1, 20),
)
async def test_whatever_holes_there_are_the_engine_finds_what_memory_finds(
    clickhouse: ClickHouse, held: set[int], start: int, before: int, most: int
):
    series = Series("binance", f"S{abs(hash(frozenset(held)))}/USDT", "1m")
    stores = [in_memory(), on_engine(clickhouse)]
    for each in stores:
        if held:
            await each.put(series, dict.fromkeys(sorted(held), 5.0))
    expected, actual = [
        await minutes(each, start, before=before, most=most, series=series) for each in stores
    ]
    assert expected == actual


async def test_builds_are_found_but_for_the_closed_ones(clickhouse: ClickHouse):
    rows = [
        {
            "exchange": BTC.exchange, "symbol": BTC.symbol, "timeframe": BTC.timeframe,
            "feature_set": "default", "version": 1, "build": build, "state": state, "changed": 1,
        }
        for build, state in enumerate(["serving", "beside", "closed"])
    ]  # fmt: skip
    await clickhouse.insert_arrow("feature_builds", pa.Table.from_pylist(rows))
    found = await ClickHouseStored(clickhouse).builds({BTC, ETH})
    assert found == {BTC: [Build(DEFAULT, 0), Build(DEFAULT, 1)]}
