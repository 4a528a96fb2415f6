"""What both kinds of feature tables promise: the engine and the ones in memory."""

from collections.abc import Sequence

import pyarrow as pa
import pytest

from candlelog.clock import ManualClock
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.features import FeatureBatchHeaderV1, FeatureBatchV1, feature_schema
from candlelog.market.series import Series
from clickhouse_sink.adapters.features import ClickHouseFeatureTables
from clickhouse_sink.adapters.memory import MemoryFeatureTables
from clickhouse_sink.domain.builds import Build, Note
from clickhouse_sink.domain.features import feature_tables

pytestmark = pytest.mark.connected

START = 1_706_745_600_000
BTC = Series("binance", "BTC/USDT", "1m")


def batch(
    values: Sequence[float | None], *, name: str = "sma_7", revision: int = 1, build: int = 0
) -> FeatureBatchV1:
    """One feature of the minutes from START on."""
    fields = {
        "exchange": BTC.exchange, "symbol": BTC.symbol, "timeframe": BTC.timeframe,
        "feature_set": DEFAULT, "revision": revision, "build": build,
    }  # fmt: skip
    times = pa.array([START + at * 60_000 for at in range(len(values))], pa.int64())
    rows = pa.RecordBatch.from_arrays(
        [times.cast(pa.timestamp("ms", "UTC")), pa.array(values, pa.float64())],
        schema=feature_schema([name]),
    )
    return FeatureBatchV1(FeatureBatchHeaderV1.model_validate(fields), rows)


@pytest.fixture(params=["memory", "clickhouse"])
def tables(request: pytest.FixtureRequest, now):
    if request.param == "memory":
        return MemoryFeatureTables()
    return ClickHouseFeatureTables(request.getfixturevalue("clickhouse"), ManualClock(now))


async def rows(tables, name: str = "sma_7") -> list[float | None]:
    if isinstance(tables, MemoryFeatureTables):
        return [row[name] for row in tables.rows()]
    sql = f"SELECT `{name}` FROM features FINAL ORDER BY open_time"
    return [row[0] for row in await tables._clickhouse.query(sql)]


async def append(tables, *batches: FeatureBatchV1) -> None:
    for table in feature_tables(batches):
        await tables.append_features(table)


async def test_rows_are_kept_with_their_nulls(tables):
    await append(tables, batch([None, 1.5]))
    assert await rows(tables) == [None, 1.5]


async def test_of_two_rows_of_a_slot_the_higher_revision_stays_whatever_comes_last(tables):
    await append(tables, batch([7.0], revision=5))
    await append(tables, batch([6.0], revision=4))
    assert await rows(tables) == [7.0]


# A column stays in the database that the tests share: what is new to one has a name of its own.
async def test_a_feature_that_is_new_becomes_a_column(tables):
    await append(tables, batch([7.0], name="my_trend"))
    assert await rows(tables, "my_trend") == [7.0]


async def test_builds_are_found_as_they_were_noted(tables):
    first, second = Build(BTC, "default", 1, 0), Build(BTC, "default", 2, 0)
    await tables.note({first: Note("serving"), second: Note("beside")})
    assert await tables.builds({BTC}) == {first: "serving", second: "beside"}
    assert await tables.builds({Series("binance", "ETH/USDT", "1m")}) == {}


async def test_of_two_notes_of_a_build_the_higher_number_stays_whatever_comes_last(tables):
    build = Build(BTC, "default", 1, 0)
    for state, number in (("serving", 0), ("closed", 3), ("beside", 2), ("serving", 0)):
        await tables.note({build: Note(state, number)})
    assert await tables.builds({BTC}) == {build: "closed"}


async def test_the_view_shows_what_is_served_with_columns_of_every_set(clickhouse, now):
    tables = ClickHouseFeatureTables(clickhouse, ManualClock(now))
    await tables.note(
        {Build(BTC, "default", 1, 0): Note("serving"), Build(BTC, "default", 1, 1): Note("beside")}
    )
    await append(
        tables, batch([1.0]), batch([2.0], build=1), batch([3.0], name="my_level", build=0)
    )
    shown = await clickhouse.query("SELECT version, my_level, `return` FROM features_latest")
    assert shown == [(1, 3.0, None)]
