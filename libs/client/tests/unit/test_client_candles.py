"""Candles as tables, pages and CSV."""

import sys
from datetime import UTC, datetime

import httpx
import pyarrow as pa
import pytest

from candlelog_client.csv_blocks import tables
from candlelog_client.errors import ClientError, Refused, Unreachable
from candlelog_client.frames import COLUMNS

HEADER = ",".join(COLUMNS.names)
SERIES = "binance,BTC/USDT,1m,2024-02-01"
FIRST = f"{SERIES}T00:00:00Z,0.1,1e-7,5.0,42569.76,7.00000001,,,rest,2024-03-01T00:00:00.123Z"
SECOND = f"{SERIES}T00:01:00Z,1.0,2.0,0.5,1.5,7.0,12.25,4294967295,rest,2024-03-01T00:00:00Z"
CSV = f"{HEADER}\n{FIRST}\n{SECOND}\n".encode()


async def arriving(content: bytes, size: int):
    for start in range(0, len(content), size):
        yield content[start : start + size]


def csv_answer(content: bytes) -> httpx.Response:
    return httpx.Response(200, content=content, headers={"Content-Type": "text/csv"})


async def test_a_range_becomes_one_table_value_for_value(client, api):
    api.answers["GET /candles"] = csv_answer(CSV)
    table = await client.candles("binance", "BTC/USDT", "1m", start="2024-02-01").to_arrow()
    assert table.schema == COLUMNS
    first, second = table.to_pylist()
    assert first["open_time"] == datetime(2024, 2, 1, tzinfo=UTC)
    assert first["observed_at"] == datetime(2024, 3, 1, 0, 0, 0, 123000, tzinfo=UTC)
    assert (first["open"], first["high"], first["close"]) == (0.1, 1e-7, 42569.76)
    assert (first["quote_volume"], first["trades"]) == (None, None)
    assert (second["quote_volume"], second["trades"]) == (12.25, 4294967295)


async def test_an_empty_range_is_a_table_without_rows(client, api):
    api.answers["GET /candles"] = csv_answer(f"{HEADER}\n".encode())
    table = await client.candles("binance", "BTC/USDT", "1m").to_arrow()
    assert (table.num_rows, table.schema) == (0, COLUMNS)


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
async def test_a_table_does_not_depend_on_how_the_bytes_arrive(size):
    parts = [table async for table in tables(arriving(CSV, size))]
    assert pa.concat_tables(parts).num_rows == 2


async def test_a_long_text_is_parsed_in_blocks_and_loses_no_row():
    lines = "\n".join(
        f"binance,BTC/USDT,1m,2024-02-01T00:00:00Z,{n},1,1,1,1,,,rest,2024-03-01T00:00:00Z"
        for n in range(60_000)
    )
    parts = [table async for table in tables(arriving(f"{HEADER}\n{lines}\n".encode(), 65_536))]
    assert len(parts) > 1
    assert pa.concat_tables(parts)["open"].to_pylist() == list(range(60_000))


async def test_pages_are_read_one_by_one_up_to_the_limit(client, api):
    def page(request: httpx.Request) -> httpx.Response:
        row = {"exchange": "binance", "open_time": "2024-02-01T00:00:00Z", "close": 1.5}
        items = [row] * int(request.url.params["limit"])
        return httpx.Response(200, json={"items": items, "next": "more"})

    api.answers["GET /candles"] = page
    query = client.candles("binance", "BTC/USDT", "1m")
    sizes = [table.num_rows async for table in query.pages(size=2, limit=5)]
    assert sizes == [2, 2, 1]
    assert "cursor" not in api.requests[0].url.params
    assert api.requests[1].url.params["cursor"] == "more"


async def test_a_refused_range_says_why(client, api):
    api.first = [api.problem(422, "unknown_timeframe", "unknown timeframe '2m'")]
    with pytest.raises(Refused, match="unknown timeframe '2m'"):
        await client.candles("binance", "BTC/USDT", "2m").to_arrow()


async def test_a_stream_that_breaks_off_is_an_error_and_no_short_table(client, api):
    async def cut():
        yield CSV
        raise httpx.RemoteProtocolError("peer closed connection")

    api.answers["GET /candles"] = httpx.Response(200, content=cut())
    with pytest.raises(Unreachable, match="broke off"):
        await client.candles("binance", "BTC/USDT", "1m").to_arrow()


async def test_pandas_gets_the_same_rows(client, api):
    api.answers["GET /candles"] = csv_answer(CSV)
    frame = await client.candles("binance", "BTC/USDT", "1m").to_pandas()
    assert list(frame["close"]) == [42569.76, 1.5]


async def test_a_missing_polars_is_said(client, api, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ClientError, match="pip install polars"):
        await client.candles("binance", "BTC/USDT", "1m").to_polars()
