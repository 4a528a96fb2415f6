"""Candles and features as tables, batches, pages and CSV."""

import asyncio
import io
import sys
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pyarrow as pa
import pytest

from candlelog_client.arrow_blocks import opened
from candlelog_client.errors import ClientError, Refused, ServerProblem, Unreachable

T0 = datetime(2024, 2, 1, tzinfo=UTC)
MS = pa.timestamp("ms", "UTC")


def candles(count: int = 2) -> pa.Table:
    return pa.table(
        {
            "exchange": ["binance"] * count,
            "open_time": pa.array([T0 + timedelta(minutes=n) for n in range(count)], MS),
            "close": [0.1 + n for n in range(count)],
            "trades": pa.array([None, *range(1, count)][:count], pa.uint32()),
        }
    )


def arrow(table: pa.Table, *, rows: int = 20_000) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue()


async def arriving(content: bytes, size: int):
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("noun", ["candles", "features"])
async def test_a_range_becomes_one_table_value_for_value(client, api, noun):
    api.answers[f"GET /{noun}"] = httpx.Response(200, content=arrow(candles(50), rows=7))
    query = getattr(client, noun)("binance", "BTC/USDT", "1m", start="2024-02-01")
    assert await query.to_arrow() == candles(50)
    asked = api.requests[0].url.params
    assert (asked["format"], asked["start"]) == ("arrow", "2024-02-01T00:00:00Z")


async def test_features_name_their_set_and_candles_have_none(client, api):
    for noun in ("candles", "features"):
        api.answers[f"GET /{noun}"] = httpx.Response(200, content=arrow(candles()))
    await client.features("binance", "BTC/USDT", "1m", feature_set="mine").to_arrow()
    await client.features("binance", "BTC/USDT", "1m").to_arrow()
    await client.candles("binance", "BTC/USDT", "1m").to_arrow()
    asked = [request.url.params.get("feature_set") for request in api.requests]
    assert asked == ["mine", "default", None]


async def test_an_empty_range_is_a_table_without_rows(client, api):
    api.answers["GET /candles"] = httpx.Response(200, content=arrow(candles().slice(0, 0)))
    table = await client.candles("binance", "BTC/USDT", "1m").to_arrow()
    assert (table.num_rows, table.schema) == (0, candles().schema)


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
async def test_batches_do_not_depend_on_how_the_bytes_arrive(size):
    content = arrow(candles(100), rows=40)
    async with opened(arriving(content, size)) as batches:
        assert [batch.num_rows async for batch in batches] == [40, 40, 20]


async def test_a_batch_is_there_before_the_next_one_has_arrived():
    content, more = arrow(candles(100), rows=50), asyncio.Event()

    async def slowly():
        yield content[:-100]
        await more.wait()
        yield content[-100:]

    async with opened(slowly()) as batches:
        reading = aiter(batches)
        assert (await anext(reading)).num_rows == 50
        more.set()
        assert (await anext(reading)).num_rows == 50


@pytest.mark.parametrize("thread_is_late", [False, True])
async def test_a_reading_that_is_given_up_does_not_go_on_waiting(monkeypatch, thread_is_late):
    waiting, ended = asyncio.Event(), asyncio.Event()
    given_up = threading.Event()
    schedule = asyncio.run_coroutine_threadsafe

    def schedule_and_stand_still(*work):
        future = schedule(*work)
        given_up.wait()
        return future

    async def never():
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield b""
        finally:
            ended.set()

    async def read() -> None:
        async with opened(never()):
            pass

    if thread_is_late:
        monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", schedule_and_stand_still)
    reading = asyncio.create_task(read())
    await waiting.wait()
    reading.cancel()
    await asyncio.wait([reading])
    given_up.set()
    await asyncio.wait_for(ended.wait(), 60)


async def test_a_file_that_is_no_arrow_stream_is_a_problem_of_the_server(client, api):
    for content in (b"<html>", arrow(candles())[:-30]):
        api.answers["GET /candles"] = httpx.Response(200, content=content)
        with pytest.raises(ServerProblem, match="no Arrow stream"):
            await client.candles("binance", "BTC/USDT", "1m").to_arrow()


@pytest.mark.parametrize("noun", ["candles", "features"])
async def test_pages_are_read_one_by_one_up_to_the_limit(client, api, noun):
    def page(request: httpx.Request) -> httpx.Response:
        row = {"exchange": "binance", "open_time": "2024-02-01T00:00:00Z", "close": 1.5}
        items = [row] * int(request.url.params["limit"])
        return httpx.Response(200, json={"items": items, "next": "more"})

    api.answers[f"GET /{noun}"] = page
    query = getattr(client, noun)("binance", "BTC/USDT", "1m")
    sizes = [table.num_rows async for table in query.pages(size=2, limit=5)]
    assert sizes == [2, 2, 1]
    assert "cursor" not in api.requests[0].url.params
    assert api.requests[1].url.params["cursor"] == "more"


async def test_a_page_has_the_types_that_a_whole_range_has(client, api):
    key = {"exchange": "e", "symbol": "s", "timeframe": "1m", "open_time": "2024-02-01T00:00:00Z"}
    candle = {"close": 1, "trades": 3, "observed_at": "2024-03-01T12:00:00.123Z"}
    features = {"feature_set": "default", "version": 1, "rsi_14": 50, "trades": 0.5}
    api.say("GET /candles", {"items": [key | candle], "next": None})
    api.say("GET /features", {"items": [key | features], "next": None})
    for query, wanted in (
        (client.candles("e", "s", "1m"), ["double", "uint32", "timestamp[ms, tz=UTC]"]),
        (client.features("e", "s", "1m"), ["string", "uint32", "double", "double"]),
    ):
        (page,) = [page async for page in query.pages()]
        kinds = [str(field.type) for field in page.schema]
        assert kinds == ["string", "string", "string", "timestamp[ms, tz=UTC]", *wanted]


async def test_csv_comes_as_the_server_sends_it(client, api):
    api.answers["GET /features"] = httpx.Response(200, content=b"open_time,rsi_14\n")
    async with client.features("binance", "BTC/USDT", "1m").csv() as blocks:
        assert b"".join([block async for block in blocks]) == b"open_time,rsi_14\n"


async def test_a_refused_range_says_why(client, api):
    api.first = [api.problem(422, "unknown_timeframe", "unknown timeframe '2m'")]
    with pytest.raises(Refused, match="unknown timeframe '2m'"):
        await client.candles("binance", "BTC/USDT", "2m").to_arrow()


@pytest.mark.parametrize("at", [0, 100, 700, 2000])
async def test_a_stream_that_breaks_off_is_an_error_and_no_short_table(client, api, at):
    async def cut():
        yield arrow(candles(100))[:at]
        raise httpx.RemoteProtocolError("peer closed connection")

    api.answers["GET /candles"] = httpx.Response(200, content=cut())
    with pytest.raises(Unreachable, match="broke off"):
        await client.candles("binance", "BTC/USDT", "1m").to_arrow()


async def test_pandas_gets_the_same_rows(client, api):
    api.answers["GET /candles"] = httpx.Response(200, content=arrow(candles()))
    frame = await client.candles("binance", "BTC/USDT", "1m").to_pandas()
    assert list(frame["close"]) == [0.1, 1.1]


async def test_a_missing_polars_is_said(client, api, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ClientError, match="pip install polars"):
        await client.candles("binance", "BTC/USDT", "1m").to_polars()
