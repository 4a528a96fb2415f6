"""Stock in memory keeps the promises that stock in ClickHouse keeps."""

from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pyarrow as pa
import pytest

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrations_directory
from coordinator.adapters.memory import MemoryStock
from coordinator.adapters.stock import ClickHouseStock
from coordinator.ports import Stock

pytestmark = pytest.mark.connected

START = datetime(2024, 1, 1, tzinfo=UTC)
MS = pa.timestamp("ms", tz="UTC")
BTC, ETH = Series("binance", "BTC/USDT", "1m"), Series("binance", "ETH/USDT", "1m")
OLD, NEW = FeatureBuildRef(version=1, build=0), FeatureBuildRef(version=2, build=1)


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def minutes(first: int, last: int) -> TimeRange:
    return TimeRange(minute(first), minute(last))


class Shelves(Protocol):
    """Where a test puts what is then found."""

    stock: Stock

    async def candles(self, series: Series, numbers: list[int]) -> None: ...
    async def state(self, series: Series, build: FeatureBuildRef, state: str) -> None: ...
    async def features(
        self, series: Series, build: FeatureBuildRef, numbers: list[int]
    ) -> None: ...


class Memory:
    def __init__(self) -> None:
        self.stock = MemoryStock()

    async def candles(self, series: Series, numbers: list[int]) -> None:
        self.stock.open_times[series] = {minute(number) for number in numbers}

    async def state(self, series: Series, build: FeatureBuildRef, state: str) -> None:
        if state == "serving":
            self.stock.serving[series, "mine"] = build

    async def features(self, series: Series, build: FeatureBuildRef, numbers: list[int]) -> None:
        key = (series, "mine", build.version, build.build)
        self.stock.features[key] = {minute(number) for number in numbers}


class Engine:
    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self.stock = ClickHouseStock(clickhouse)

    async def candles(self, series: Series, numbers: list[int]) -> None:
        ones = {name: [1.0] * len(numbers) for name in ("open", "high", "low", "close", "volume")}
        observed = pa.array([START] * len(numbers), MS)
        await self._insert(
            "candles", series, numbers, {**ones, "source": ["r"] * len(numbers),
                                         "observed_at": observed},
        )  # fmt: skip

    async def state(self, series: Series, build: FeatureBuildRef, state: str) -> None:
        row = {
            "exchange": series.exchange, "symbol": series.symbol, "timeframe": series.timeframe,
            "feature_set": "mine", "version": build.version, "build": build.build, "state": state,
            "changed": 1,
        }  # fmt: skip
        await self._clickhouse.insert_arrow("feature_builds", pa.Table.from_pylist([row]))

    async def features(self, series: Series, build: FeatureBuildRef, numbers: list[int]) -> None:
        count = len(numbers)
        columns = {
            "feature_set": ["mine"] * count, "version": [build.version] * count,
            "build": [build.build] * count, "revision": [1] * count,
        }  # fmt: skip
        await self._insert("features", series, numbers, columns)
        await self._insert("features", series, numbers, {**columns, "revision": [2] * count})

    async def _insert(
        self, table: str, series: Series, numbers: list[int], columns: Mapping[str, object]
    ) -> None:
        rows = {
            "exchange": [series.exchange] * len(numbers),
            "symbol": [series.symbol] * len(numbers),
            "timeframe": [series.timeframe] * len(numbers),
            "open_time": pa.array([minute(number) for number in numbers], MS),
            **columns,
        }
        await self._clickhouse.insert_arrow(table, pa.table(rows))


@pytest.fixture(params=["memory", "engine"])
async def shelves(request: pytest.FixtureRequest, clickhouse_url: str) -> AsyncGenerator[Shelves]:
    if request.param == "memory":
        yield Memory()
        return
    clickhouse = ClickHouse(clickhouse_url)
    await migrate_clickhouse(clickhouse, migrations_directory("clickhouse-sink"))
    yield Engine(clickhouse)
    await clickhouse.close()


async def test_candles_reach_from_the_first_in_the_window_to_the_end_of_the_last(shelves: Shelves):
    await shelves.candles(BTC, [3, 5, 8, 20])
    found = await shelves.stock.candles([BTC, ETH], minutes(4, 20))
    assert found == {BTC: minutes(5, 9)}
    assert await shelves.stock.candles([BTC, ETH], minutes(9, 20)) == {}


async def test_of_the_builds_of_a_set_the_one_that_serves_is_found(shelves: Shelves):
    await shelves.state(BTC, OLD, "beside")
    await shelves.state(BTC, NEW, "serving")
    await shelves.state(ETH, OLD, "closed")
    assert await shelves.stock.served([BTC, ETH], "mine") == {BTC: NEW}
    assert await shelves.stock.served([BTC], "yours") == {}


async def test_lost_are_candles_with_features_in_the_first_build_and_not_in_the_second(
    shelves: Shelves,
):
    await shelves.candles(BTC, [1, 2, 3, 4, 9])
    await shelves.candles(ETH, [1])
    await shelves.features(BTC, OLD, [1, 2, 3, 4])
    await shelves.features(BTC, NEW, [2, 3, 9])
    await shelves.features(ETH, OLD, [1])
    count = shelves.stock.lost
    assert await count("mine", {BTC: (OLD, NEW), ETH: (OLD, NEW)}) == 3
    assert await count("mine", {BTC: (NEW, OLD)}) == 1
    assert await count("mine", {BTC: (OLD, OLD)}) == 0


async def test_features_of_what_is_no_candle_any_more_are_not_lost(shelves: Shelves):
    await shelves.candles(BTC, [1, 2])
    await shelves.candles(ETH, [3])
    await shelves.features(BTC, OLD, [1, 2, 3])
    await shelves.features(BTC, NEW, [1])
    assert await shelves.stock.lost("mine", {BTC: (OLD, NEW)}) == 1
