"""Candles, series, coverage and quarantine over REST, from the real engine."""

import csv
import io
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from pyarrow import parquet

from status_api.handlers import series

pytestmark = pytest.mark.connected

T0 = datetime(2024, 2, 1, tzinfo=UTC)
OBSERVED = datetime(2024, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
COUNT = 2_500
MS = pa.timestamp("ms", "UTC")
QUERY = {"exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1m"}


def candles(symbol: str = "BTC/USDT", count: int = COUNT) -> pa.Table:
    random = Random(3)
    prices = [random.uniform(1e-7, 7e4) for _ in range(count)]
    return pa.table(
        {
            "exchange": ["binance"] * count,
            "symbol": [symbol] * count,
            "timeframe": ["1m"] * count,
            "open_time": pa.array([T0 + timedelta(minutes=n) for n in range(count)], MS),
            **dict.fromkeys(("open", "high", "low", "close"), prices),
            "volume": [random.random() * 10 ** random.randint(-9, 15) for _ in range(count)],
            "quote_volume": pa.array([None] + [1.0] * (count - 1), pa.float64()),
            "trades": pa.array([None] + [7] * (count - 1), pa.uint32()),
            "source": ["rest"] * count,
            "observed_at": pa.array([OBSERVED] * count, MS),
        }
    )


def coverage(*ranges: tuple[int, int, str]) -> pa.Table:
    chunks = [UUID(int=number) for number in range(len(ranges))]
    return pa.table(
        {
            "exchange": ["binance"] * len(ranges),
            "symbol": ["BTC/USDT"] * len(ranges),
            "timeframe": ["1m"] * len(ranges),
            "start": pa.array([T0 + timedelta(minutes=start) for start, _, _ in ranges], MS),
            "end": pa.array([T0 + timedelta(minutes=end) for _, end, _ in ranges], MS),
            "source": ["rest"] * len(ranges),
            "outcome": [outcome for _, _, outcome in ranges],
            "job_id": [str(UUID(int=1))] * len(ranges),
            "chunk_id": [str(chunk) for chunk in chunks],
            "observed_at": pa.array([OBSERVED] * len(ranges), MS),
        }
    )


def quarantine(count: int) -> pa.Table:
    return pa.table(
        {
            "exchange": ["binance"] * count,
            "symbol": ["BTC/USDT"] * count,
            "timeframe": ["1m"] * count,
            "open_time": pa.array([None] + [T0] * (count - 1), MS),
            "raw": [f'[{number}, "\\u0000"]' for number in range(count)],
            "reason": ["not_positive"] * count,
            "source": ["rest"] * count,
            "job_id": [str(UUID(int=1))] * count,
            "chunk_id": [str(UUID(int=2))] * count,
            "observed_at": pa.array(
                [OBSERVED + timedelta(seconds=number // 2) for number in range(count)], MS
            ),
        }
    )


@pytest.fixture(scope="module")
async def filled(first: Any, emptied: None) -> Any:
    """A replica over an engine that holds some candles."""
    await first.clickhouse.insert_arrow("candles", candles())
    await first.clickhouse.insert_arrow("candles", candles("ETH/USDT", 3))
    far = pa.array([T0 - timedelta(days=3000), T0, T0 + timedelta(days=400)], MS)
    scattered = candles("ETH/BTC", 3).set_column(3, "open_time", far)
    await first.clickhouse.insert_arrow("candles", scattered)
    await first.clickhouse.insert_arrow(
        "coverage",
        coverage((0, 1000, "candles"), (1000, 2500, "candles"), (2500, 2600, "empty")),
    )
    await first.clickhouse.insert_arrow("quarantine", quarantine(5))
    for symbol, begin in (("ETH/USDT", 0), ("ETH/BTC", -3000 * 1440)):
        asked = coverage((begin, 400 * 1440 + 1, "candles"))
        named = asked.set_column(1, "symbol", pa.array([symbol]))
        await first.clickhouse.insert_arrow("coverage", named)
    return first


def parsed(row: dict[str, Any]) -> tuple[Any, ...]:
    """A row of CSV or JSON as comparable values."""
    numbers = ("open", "high", "low", "close", "volume")
    return (row["open_time"], *(float(row[name]) for name in numbers), str(row["trades"] or ""))


def expected(table: pa.Table) -> list[tuple[Any, ...]]:
    return [
        parsed({**row, "open_time": f"{row['open_time']:%Y-%m-%dT%H:%M:%SZ}"})
        for row in table.to_pylist()
    ]


async def test_pages_hold_every_candle_once_and_in_order(filled: Any):
    seen: list[tuple[Any, ...]] = []
    cursor: str | None = None
    while True:
        query = {**QUERY, "limit": 999} | ({"cursor": cursor} if cursor else {})
        page = (await filled.http.get("/candles", params=query)).json()
        seen += [parsed(row) for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == expected(candles())


async def test_a_candle_has_the_names_of_the_table(filled: Any):
    page = (await filled.http.get("/candles", params={**QUERY, "limit": 1})).json()
    assert list(page["items"][0]) == [
        "exchange", "symbol", "timeframe", "open_time", "open", "high", "low", "close", "volume",
        "quote_volume", "trades", "source", "observed_at", "state",
    ]  # fmt: skip
    assert page["items"][0]["quote_volume"] is None
    assert page["items"][0]["open_time"] == "2024-02-01T00:00:00Z"
    assert page["items"][0]["observed_at"] == "2024-03-01T12:00:00.123Z"


async def test_pages_cross_a_hole_of_years(filled: Any):
    query = {**QUERY, "symbol": "ETH/BTC", "limit": 2}
    first = (await filled.http.get("/candles", params=query)).json()
    second = (await filled.http.get("/candles", params={**query, "cursor": first["next"]})).json()
    assert [row["open_time"][:10] for row in first["items"]] == ["2015-11-15", "2024-02-01"]
    assert [row["open_time"][:10] for row in second["items"]] == ["2025-03-07"]
    assert second["next"] is None


async def test_ranges_are_half_open(filled: Any):
    query = {**QUERY, "start": "2024-02-01T00:01:00Z", "end": "2024-02-01T00:03:00Z"}
    page = (await filled.http.get("/candles", params=query)).json()
    assert [row["open_time"][14:16] for row in page["items"]] == ["01", "02"]
    assert page["next"] is None


@pytest.mark.parametrize("by_header", [True, False], ids=["accept", "format"])
async def test_csv_holds_the_whole_range_with_floats_that_read_back_the_same(
    filled: Any, monkeypatch: pytest.MonkeyPatch, by_header: bool
):
    monkeypatch.setattr("status_api.handlers.ranges._ROWS_AT_ONCE", 700)
    how = {"headers": {"Accept": "text/csv"}} if by_header else {}
    query = QUERY if by_header else {**QUERY, "format": "csv"}
    answer = await filled.http.get("/candles", params=query, **how)
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [parsed(row) for row in rows] == expected(candles())
    assert (rows[0]["quote_volume"], rows[0]["observed_at"]) == ("", "2024-03-01T12:00:00.123Z")


@pytest.mark.parametrize("by_header", [True, False], ids=["accept", "format"])
async def test_arrow_holds_the_whole_range_in_batches_of_what_is_read_at_once(
    filled: Any, monkeypatch: pytest.MonkeyPatch, by_header: bool
):
    monkeypatch.setattr("status_api.handlers.ranges._ROWS_AT_ONCE", 700)
    media = "application/vnd.apache.arrow.stream"
    how = {"headers": {"Accept": media}} if by_header else {}
    query = QUERY if by_header else {**QUERY, "format": "arrow"}
    answer = await filled.http.get("/candles", params=query, **how)
    assert answer.headers["content-type"] == media
    batches = list(pa.ipc.open_stream(answer.content))
    assert [batch.num_rows for batch in batches] == [700, 700, 700, 400]
    found = pa.Table.from_batches(batches)
    assert found.drop_columns("state").to_pylist() == candles().to_pylist()


@pytest.mark.parametrize("by_header", [True, False], ids=["accept", "format"])
async def test_parquet_holds_the_whole_range_in_groups_of_many_batches(
    filled: Any, monkeypatch: pytest.MonkeyPatch, by_header: bool
):
    monkeypatch.setattr("status_api.handlers.ranges._ROWS_AT_ONCE", 700)
    monkeypatch.setattr("status_api.handlers.tables._ROW_GROUP", 1400)
    media = "application/vnd.apache.parquet"
    how = {"headers": {"Accept": media}} if by_header else {}
    query = QUERY if by_header else {**QUERY, "format": "parquet"}
    answer = await filled.http.get("/candles", params=query, **how)
    assert answer.headers["content-type"] == media
    file = parquet.ParquetFile(io.BytesIO(answer.content))
    groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    assert groups == [1400, 1100]
    assert file.read().drop_columns("state").to_pylist() == candles().to_pylist()


async def test_a_series_without_candles_is_a_parquet_file_without_rows(filled: Any):
    query = {**QUERY, "timeframe": "1h", "format": "parquet"}
    answer = await filled.http.get("/candles", params=query)
    assert parquet.read_table(io.BytesIO(answer.content)).num_rows == 0


async def test_a_range_that_ends_where_a_batch_does_has_no_empty_batch_of_rows(
    filled: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("status_api.handlers.ranges._ROWS_AT_ONCE", COUNT // 2)
    answer = await filled.http.get("/candles", params={**QUERY, "format": "arrow"})
    assert pa.ipc.open_stream(answer.content).read_all().num_rows == COUNT
    text = (await filled.http.get("/candles", params={**QUERY, "format": "csv"})).text
    assert text.count("\n") == COUNT + 1


async def test_csv_goes_on_at_a_cursor(filled: Any):
    page = (await filled.http.get("/candles", params={**QUERY, "limit": 2_400})).json()
    query = {**QUERY, "format": "csv", "cursor": page["next"]}
    answer = await filled.http.get("/candles", params=query)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [parsed(row) for row in rows] == expected(candles())[2_400:]


async def test_what_a_client_accepts_is_weighed(filled: Any):
    for accept, status, content_type in [
        ("text/csv;q=0, application/json", 200, "application/json"),
        ("application/json;q=0.5, text/csv", 200, "text/csv; charset=utf-8"),
        ("application/vnd.apache.orc", 406, "application/problem+json"),
    ]:
        answer = await filled.http.get("/candles", params=QUERY, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (status, content_type)


async def test_a_series_without_candles_is_an_empty_page_csv_and_arrow_stream(filled: Any):
    query = {**QUERY, "timeframe": "1h"}
    assert (await filled.http.get("/candles", params=query)).json() == {"items": [], "next": None}
    text = (await filled.http.get("/candles", params={**query, "format": "csv"})).text
    assert text.count("\n") == 1
    arrow = (await filled.http.get("/candles", params={**query, "format": "arrow"})).content
    assert pa.ipc.open_stream(arrow).read_all().schema.names[3:5] == ["open_time", "open"]


async def test_what_cannot_be_read_is_refused_with_the_nearest_names(filled: Any):
    for change, code in [
        ({"exchange": "binanc"}, "unknown_exchange"),
        ({"timeframe": "2m"}, "unknown_timeframe"),
        ({"symbol": "BTCUSDT"}, "unknown_symbol"),
        ({"symbol": "' OR 1=1 --"}, "unknown_symbol"),
        ({"symbol": "\0"}, "invalid_value"),
        ({"start": "soon"}, "malformed_time"),
        ({"start": "2024-02-02", "end": "2024-02-01"}, "invalid_range"),
        ({"limit": "10001"}, "invalid_value"),
        ({"cursor": "x"}, "malformed_cursor"),
        ({"cursor": "x", "format": "csv"}, "malformed_cursor"),
        ({"format": "orc"}, "invalid_value"),
        ({"as_of": "yesterday"}, "malformed_time"),
        ({"fill": "yes"}, "invalid_value"),
        ({"symbol": "x" * 65}, "invalid_value"),
        ({"symbol": "BTC\u202e/USDT"}, "invalid_value"),
    ]:
        answer = await filled.http.get("/candles", params={**QUERY, **change})
        assert (answer.status_code, answer.json()["code"]) == (422, code), change
    typo = {**QUERY, "symbol": "BTCUSDT"}
    near = await filled.http.get("/candles", params=typo)
    assert near.json()["errors"][0]["nearest"] == ["BTC/USDT"]
    missing = await filled.http.get("/candles", params={"exchange": "binance"})
    assert missing.json()["code"] == "missing_field"


async def test_a_parameter_that_is_given_twice_is_refused(filled: Any):
    answer = await filled.http.get("/candles", params=[*QUERY.items(), ("symbol", "ETH/USDT")])
    assert (answer.status_code, answer.json()["detail"]) == (422, "symbol is given 2 times")


@pytest.mark.parametrize("times", [{}, {"start": "2024-02-01"}])
async def test_coverage_of_a_symbol_nobody_lists_is_refused(filled: Any, times: dict[str, str]):
    query = {"exchange": "binance", "symbol": "BTCUSDT", "timeframe": "1m", **times}
    answer = await filled.http.get("/coverage", params=query)
    assert answer.json()["code"] == "unknown_symbol"


async def test_times_far_away_are_just_empty(filled: Any):
    for start, end in (("0001-01-01", "1000-01-01"), ("9998-01-01", "9999-12-31")):
        answer = await filled.http.get("/candles", params={**QUERY, "start": start, "end": end})
        assert (answer.status_code, answer.json()["items"]) == (200, []), start
    everything = {**QUERY, "start": "0001-01-01", "end": "9999-12-31", "limit": 1}
    assert len((await filled.http.get("/candles", params=everything)).json()["items"]) == 1


async def test_series_say_what_is_stored_in_pages(filled: Any):
    first = (await filled.http.get("/series", params={"limit": 1})).json()
    (bitcoin,) = first["items"]
    assert (bitcoin["symbol"], bitcoin["candles"]) == ("BTC/USDT", COUNT)
    assert bitcoin["first_open_time"] == "2024-02-01T00:00:00Z"
    assert bitcoin["last_open_time"] == "2024-02-02T17:39:00Z"
    second = (await filled.http.get("/series", params={"cursor": first["next"]})).json()
    assert [(each["symbol"], each["candles"]) for each in second["items"]] == [
        ("ETH/BTC", 3),
        ("ETH/USDT", 3),
    ]
    assert second["next"] is None
    only = (await filled.http.get("/series", params={"symbol": "ETH/USDT"})).json()
    assert len(only["items"]) == 1


async def told(filled: Any, **query: Any) -> list[tuple[str, str, str]]:
    """State, start and end of every run, over as many pages as it takes."""
    found: list[tuple[str, str, str]] = []
    cursor: str | None = None
    while True:
        asked = {**QUERY, **query} | ({"cursor": cursor} if cursor else {})
        page = (await filled.http.get("/coverage", params=asked)).json()
        found += [(run["state"], run["start"], run["end"]) for run in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


FIRST, LAST, END = "2024-02-01T00:00:00Z", "2024-02-02T17:40:00Z", "2024-02-02T19:20:00Z"


async def test_coverage_tells_the_state_of_every_slot_in_runs(filled: Any):
    page = (await filled.http.get("/coverage", params={**QUERY, "end": END})).json()
    present, outage = page["items"]
    assert present == {
        "exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1m", "start": FIRST,
        "end": LAST, "slots": 2500, "state": "present", "source": "rest", "outcome": "candles",
        "observed_at": "2024-03-01T12:00:00.123000Z",
    }  # fmt: skip
    assert (outage["state"], outage["outcome"], outage["slots"]) == ("outage", "empty", 100)
    assert (outage["start"], outage["end"], page["next"]) == (LAST, END, None)


async def test_coverage_begins_where_it_was_asked_to_and_ends_with_the_last_closed_candle(
    filled: Any,
):
    (before, *_, after) = await told(filled, start="2024-01-31T23:00:00Z")
    assert before == ("unknown", "2024-01-31T23:00:00Z", FIRST)
    assert after[:2] == ("unknown", END)
    assert T0 < datetime.fromisoformat(after[2]) <= datetime.now(UTC)
    assert await told(filled, start="2124-01-01") == []


@pytest.mark.parametrize("start", ["1970-01-01", "1969-12-31"])
async def test_coverage_begins_at_the_earliest_time_only_where_it_was_asked_to(
    filled: Any, start: str
):
    assert (await told(filled, start=start))[0] == ("unknown", "1970-01-01T00:00:00Z", FIRST)


async def test_coverage_of_a_series_nobody_asked_for_has_a_beginning_only_where_one_is_given(
    filled: Any,
):
    assert await told(filled, timeframe="1h") == []
    range_of_two = {"start": FIRST, "end": "2024-02-01T02:00:00Z"}
    assert await told(filled, timeframe="1h", **range_of_two) == [
        ("unknown", FIRST, "2024-02-01T02:00:00Z")
    ]


async def test_pages_of_coverage_leave_nothing_out(filled: Any):
    whole = await told(filled, end="2024-02-03")
    assert [state for state, *_ in whole] == ["present", "outage", "unknown"]
    assert await told(filled, end="2024-02-03", limit=1) == whole
    cut = {"start": "2024-02-01T01:00:00Z", "end": "2024-02-01T02:00:00Z"}
    assert await told(filled, **cut) == [("present", cut["start"], cut["end"])]


async def test_coverage_of_more_rows_than_are_read_at_once_is_told_in_full(
    filled: Any, monkeypatch: pytest.MonkeyPatch
):
    whole = await told(filled, end="2024-02-03")
    monkeypatch.setattr(series, "_MOST_ASKED", 2)
    in_pieces = await told(filled, end="2024-02-03")
    assert len(in_pieces) > len(whole)
    assert (in_pieces[0][1], in_pieces[-1][2]) == (whole[0][1], whole[-1][2])
    assert all(one[2] == after[1] for one, after in pairwise(in_pieces))


async def test_quarantine_lists_the_newest_first_in_pages(filled: Any):
    seen: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await filled.http.get("/quarantine", params=query)).json()
        seen += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len({row["raw"] for row in seen}) == 5
    assert [row["observed_at"] for row in seen] == sorted(
        (row["observed_at"] for row in seen), reverse=True
    )
    assert seen[0]["reason"] == "not_positive"
    none = (await filled.http.get("/quarantine", params={"symbol": "ETH/USDT"})).json()
    assert none == {"items": [], "next": None}
