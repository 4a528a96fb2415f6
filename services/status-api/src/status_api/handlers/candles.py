"""`/candles`: pages of JSON, or the whole range as CSV."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

import orjson
import pyarrow as pa
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from candlelog.market.series import Series
from candlelog.market.timeframe import from_milliseconds
from status_api.adapters.history import Window
from status_api.domain.cursors import encode_numbers
from status_api.domain.media_types import most_wanted
from status_api.domain.problems import invalid, invalid_fields
from status_api.domain.suggestions import unknown_names
from status_api.handlers.answers import PROBLEM_CONTENT
from status_api.handlers.context import Context, Ctx
from status_api.handlers.parameters import Cursor, OneSeries, resumed
from status_api.handlers.tables import csv_header, csv_lines, next_open_time, rows

_CSV_ROWS: Final = 20_000
_BY_MEDIA_TYPE: Final = {"application/json": "json", "text/csv": "csv"}
_MEDIA_TYPES: Final = tuple(_BY_MEDIA_TYPE)

router = APIRouter(tags=["candles"])


class Candle(BaseModel):
    """One slot; prices and `quote_volume` in quote currency, `volume` in base currency."""

    exchange: str
    symbol: str
    timeframe: str
    open_time: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float | None
    trades: int | None
    source: str
    observed_at: str


class CandlePage(BaseModel):
    """Candles in time order."""

    items: list[Candle]
    next: str | None


_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": CandlePage, "content": {"text/csv": {}}},
    406: {"description": "none of the types of Accept", "content": PROBLEM_CONTENT},
}


@router.get("/candles", responses=_ANSWERS, response_model=None)
async def get_candles(
    ctx: Ctx,
    *,
    wanted: OneSeries,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    format: Annotated[  # noqa: A002 -- the name of the parameter is a contract
        Literal["json", "csv", "arrow", "parquet"] | None,
        Query(description="`csv` streams the whole range; arrow and parquet are not available yet"),
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Candles with open times in `[start, end)`, in time order."""
    series, times = wanted
    if format in ("arrow", "parquet"):
        raise invalid("format", "not_available", f"{format} is not available yet; use json or csv")
    left = resumed(times, cursor)
    if (format or _BY_MEDIA_TYPE[most_wanted(accept, _MEDIA_TYPES)]) == "csv":
        return await _csv(ctx, series, left)
    return await _page(ctx, series, left, limit)


async def _page(ctx: Context, series: Series, wanted: Window, limit: int) -> Response:
    table = await ctx.history.candles(series, wanted, limit + 1)
    await _refuse_unknown_symbol(ctx, series, table)
    page = table.slice(0, limit)
    more = table.num_rows > limit
    body = {
        "items": await asyncio.to_thread(rows, page),
        "next": encode_numbers(next_open_time(page)) if more else None,
    }
    return Response(orjson.dumps(body), media_type="application/json")


async def _csv(ctx: Context, series: Series, wanted: Window) -> Response:
    first = await ctx.history.candles(series, wanted, _CSV_ROWS)
    await _refuse_unknown_symbol(ctx, series, first)
    return StreamingResponse(_lines(ctx, series, wanted, first), media_type="text/csv")


async def _lines(
    ctx: Context, series: Series, wanted: Window, table: pa.Table
) -> AsyncIterator[bytes]:
    yield csv_header()
    while table.num_rows:
        yield await asyncio.to_thread(csv_lines, table)
        if table.num_rows < _CSV_ROWS:
            return
        wanted = Window(from_milliseconds(next_open_time(table)), wanted.end)
        table = await ctx.history.candles(series, wanted, _CSV_ROWS)


async def _refuse_unknown_symbol(ctx: Context, series: Series, found: pa.Table) -> None:
    listed = ctx.markets.known(series.exchange)
    if found.num_rows or listed is None:
        return
    errors = unknown_names("symbol", "unknown_symbol", [series.symbol], listed)
    if errors and await ctx.history.extent(series) is None:
        raise invalid_fields(errors)
