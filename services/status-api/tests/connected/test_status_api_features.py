"""Features over REST, from the real engine."""

import csv
import io
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from candlelog.market.feature_sets import load_feature_sets

pytestmark = pytest.mark.connected

T0 = datetime(2024, 2, 1, tzinfo=UTC)
COUNT = 2_500
MS = pa.timestamp("ms", "UTC")
QUERY = {"exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1m"}
DEFAULT = load_feature_sets(None)["default"]
COLUMNS = list(DEFAULT.columns)
KEY = ["exchange", "symbol", "timeframe", "open_time", "feature_set", "version"]


def features(
    build: int = 0, revision: int = 1, count: int = COUNT, symbol: str = "BTC/USDT"
) -> pa.Table:
    random = Random(build * 100 + revision)
    return pa.table(
        {
            "exchange": ["binance"] * count,
            "symbol": [symbol] * count,
            "timeframe": ["1m"] * count,
            "feature_set": ["default"] * count,
            "version": pa.array([1] * count, pa.uint32()),
            "build": pa.array([build] * count, pa.uint32()),
            "open_time": pa.array([T0 + timedelta(minutes=n) for n in range(count)], MS),
            "revision": pa.array([revision] * count, pa.uint64()),
            **{
                name: pa.array(
                    [None if n < at else random.gauss(0, 10 ** random.randint(-9, 9))
                     for n in range(count)],
                    pa.float64(),
                )
                for at, name in enumerate(COLUMNS)
            },
        }
    )  # fmt: skip


def builds(*states: str, symbol: str = "BTC/USDT", changed: int = 1) -> pa.Table:
    count = len(states)
    return pa.table(
        {
            "exchange": ["binance"] * count,
            "symbol": [symbol] * count,
            "timeframe": ["1m"] * count,
            "feature_set": ["default"] * count,
            "version": pa.array([1] * count, pa.uint32()),
            "build": pa.array(range(count), pa.uint32()),
            "state": list(states),
            "changed": pa.array([changed] * count, pa.uint64()),
        }
    )


@pytest.fixture(scope="module")
async def filled(first: Any, emptied: None) -> Any:
    """A replica over an engine that holds features, older ones of the same candles, and others
    that are being built beside them.
    """
    coverage = {
        "exchange": ["binance"],
        "symbol": ["BTC/USDT"],
        "timeframe": ["1m"],
        "start": pa.array([T0], MS),
        "end": pa.array([T0 + timedelta(minutes=COUNT)], MS),
        "source": ["rest"],
        "outcome": ["candles"],
        "observed_at": pa.array([T0 + timedelta(days=30)], MS),
    }
    await first.clickhouse.insert_arrow("coverage", pa.table(coverage))
    await first.clickhouse.insert_arrow("features", features(revision=2))
    await first.clickhouse.insert_arrow("features", features(revision=1))
    await first.clickhouse.insert_arrow("features", features(build=1, revision=9))
    await first.clickhouse.insert_arrow("feature_builds", builds("serving", "beside"))
    return first


def expected() -> list[dict[str, Any]]:
    return features(revision=2).select([*KEY, *COLUMNS]).to_pylist()


async def test_pages_hold_the_newest_features_of_every_candle_once_and_in_order(filled: Any):
    seen: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {**QUERY, "limit": 999} | ({"cursor": cursor} if cursor else {})
        page = (await filled.http.get("/features", params=query)).json()
        seen += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    told = [{**row, "open_time": f"{row['open_time']:%Y-%m-%dT%H:%M:%SZ}"} for row in expected()]
    assert seen == told
    assert list(seen[0]) == [*KEY, *COLUMNS]


async def test_csv_holds_the_whole_range_with_floats_that_read_back_the_same(
    filled: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("status_api.handlers.ranges._ROWS_AT_ONCE", 700)
    text = (await filled.http.get("/features", params={**QUERY, "format": "csv"})).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [rows[0]["feature_set"], rows[0]["version"]] == ["default", "1"]
    for row, wanted in zip(rows, expected(), strict=True):
        assert [float(row[name]) if row[name] else None for name in COLUMNS] == [
            wanted[name] for name in COLUMNS
        ]


async def test_arrow_holds_the_whole_range_in_the_types_of_the_table(filled: Any):
    query = {**QUERY, "format": "arrow", "start": "2024-02-01T00:10:00Z"}
    answer = await filled.http.get("/features", params=query)
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.to_pylist() == expected()[10:]
    kinds = {str(table.schema.field(name).type) for name in COLUMNS}
    assert kinds == {"double"}
    assert str(table.schema.field("version").type) == "uint32"


async def test_a_series_without_features_is_an_empty_page(filled: Any):
    query = {**QUERY, "timeframe": "1h"}
    answer = await filled.http.get("/features", params=query)
    assert answer.json() == {"items": [], "next": None}


async def test_what_cannot_be_read_is_refused_with_the_nearest_names(filled: Any):
    for change, code in [
        ({"feature_set": "defualt"}, "unknown_feature_set"),
        ({"feature_set": "' OR 1=1 --"}, "unknown_feature_set"),
        ({"feature_set": "x" * 65}, "invalid_value"),
        ({"feature_set": "\0"}, "invalid_value"),
        ({"symbol": "BTCUSDT"}, "unknown_symbol"),
        ({"timeframe": "2m"}, "unknown_timeframe"),
        ({"limit": "10001"}, "invalid_value"),
        ({"as_of": "2024-02-01"}, "unknown_field"),
        ({"as_of": "2024-02-01"}, "unknown_field"),
    ]:
        answer = await filled.http.get("/features", params={**QUERY, **change})
        assert (answer.status_code, answer.json()["code"]) == (422, code), change
    near = await filled.http.get("/features", params={**QUERY, "feature_set": "mine"})
    assert near.json()["errors"][0]["nearest"] == ["default"]


async def test_a_version_that_takes_over_is_shown_from_then_on(filled: Any):
    ether = {"symbol": "ETH/USDT", "count": 1}
    query = {**QUERY, "symbol": "ETH/USDT", "start": "2024-02-01"}
    told: list[list[float]] = []
    for build in (0, 1):
        await filled.clickhouse.insert_arrow("features", features(build, **ether))
    for number, states in enumerate((("serving", "beside"), ("closed", "serving"))):
        changed = builds(*states, symbol="ETH/USDT", changed=number)
        await filled.clickhouse.insert_arrow("feature_builds", changed)
        page = (await filled.http.get("/features", params=query)).json()
        told.append([row["return"] for row in page["items"]])
    wanted = [features(build, **ether)["return"].to_pylist() for build in (0, 1)]
    assert told == wanted


@pytest.fixture(scope="module")
async def with_mine(filled: Any, second: Any) -> Any:
    """A replica that knows two versions of a set, of which no batch has ever been stored."""
    return second


@pytest.mark.parametrize("name", ["mine", "mine/2"])
async def test_a_set_whose_columns_no_batch_has_brought_yet_is_empty(with_mine: Any, name: str):
    query = {**QUERY, "feature_set": name}
    page = await with_mine.http.get("/features", params=query)
    assert (page.status_code, page.json()) == (200, {"items": [], "next": None})
    text = await with_mine.http.get("/features", params={**query, "format": "csv"})
    assert text.text == ",".join([*KEY, "not_seen_either"]) + "\n"
    stream = await with_mine.http.get("/features", params={**query, "format": "arrow"})
    schema = pa.ipc.open_stream(stream.content).schema
    assert str(schema.field("not_seen_either").type) == "double"


async def test_a_version_is_read_by_its_name_while_another_one_is_served(with_mine: Any):
    ripple = {"symbol": "XRP/USDT", "count": 1}
    for build, version in ((0, 1), (3, 2), (4, 2)):
        table = features(build, **ripple)
        table = table.set_column(3, "feature_set", pa.array(["mine"]))
        table = table.set_column(4, "version", pa.array([version], pa.uint32()))
        await with_mine.clickhouse.insert_arrow("features", table.select([
            "exchange", "symbol", "timeframe", "feature_set", "version", "build", "open_time",
            "revision",
        ]))  # fmt: skip
        noted = builds("serving" if version == 1 else "beside", symbol="XRP/USDT")
        noted = noted.set_column(3, "feature_set", pa.array(["mine"]))
        noted = noted.set_column(4, "version", pa.array([version], pa.uint32()))
        noted = noted.set_column(5, "build", pa.array([build], pa.uint32()))
        await with_mine.clickhouse.insert_arrow("feature_builds", noted)
    shown = []
    for name in ("mine", "mine/1", "mine/2"):
        query = {**QUERY, "symbol": "XRP/USDT", "start": "2024-02-01", "feature_set": name}
        (row,) = (await with_mine.http.get("/features", params=query)).json()["items"]
        shown.append((row["version"], list(row)[-1], row[list(row)[-1]]))
    assert shown == [
        (1, "never_seen", None), (1, "never_seen", None), (2, "not_seen_either", None),
    ]  # fmt: skip
