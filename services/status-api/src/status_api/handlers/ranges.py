"""A range of a series: pages of JSON, or all of it as CSV or Arrow while it is read."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import orjson
import pyarrow as pa
from fastapi import Depends, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from candlelog.market.series import Series
from candlelog.market.timeframe import from_milliseconds
from status_api.adapters.history import Window
from status_api.adapters.series_tables import SeriesTable
from status_api.domain.cursors import encode_numbers
from status_api.domain.media_types import most_wanted
from status_api.domain.problems import invalid, invalid_fields
from status_api.domain.suggestions import unknown_names
from status_api.handlers.answers import PROBLEM_CONTENT
from status_api.handlers.context import Context
from status_api.handlers.parameters import Cursor, OneSeries, resumed
from status_api.handlers.tables import arrow_stream, csv_text, next_open_time, rows

_ROWS_AT_ONCE: Final = 20_000

_CSV: Final = "text/csv"
_ARROW: Final = "application/vnd.apache.arrow.stream"
_STREAMS: Final[dict[str, Callable[[AsyncIterator[pa.Table]], AsyncIterator[bytes]]]] = {
    _CSV: csv_text,
    _ARROW: arrow_stream,
}
_JSON: Final = "application/json"
_MEDIA: Final = {"json": _JSON, "csv": _CSV, "arrow": _ARROW}


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """What of a table is wanted: a page of JSON of `limit` rows at most, or a stream of all."""

    series: Series
    window: Window
    limit: int
    media: str


def range_request(
    *,
    wanted: OneSeries,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    format: Annotated[  # noqa: A002 -- the name of the parameter is a contract
        Literal["json", "csv", "arrow", "parquet"] | None,
        Query(description="csv and arrow stream the whole range; parquet is not available yet"),
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> RangeRequest:
    """The parameters of a query about a range."""
    if format == "parquet":
        raise invalid("format", "not_available", "parquet is not available yet; use csv or arrow")
    series, window = wanted
    media = most_wanted(accept, (_JSON, *_STREAMS)) if format is None else _MEDIA[format]
    return RangeRequest(series, resumed(window, cursor), limit, media)


OneRange = Annotated[RangeRequest, Depends(range_request)]


def described(page: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The answers of a route, for the OpenAPI document."""
    return {
        200: {"model": page, "content": {media: {} for media in _STREAMS}},
        406: {"description": "none of the types of Accept", "content": PROBLEM_CONTENT},
    }


async def answer(ctx: Context, table: SeriesTable, wanted: RangeRequest) -> Response:
    """The rows of a table that are wanted, in time order."""
    if wanted.media == _JSON:
        return await _page(ctx, table, wanted)
    first = await ctx.history.rows(table, wanted.series, wanted.window, _ROWS_AT_ONCE)
    if not first.num_rows:
        await refuse_unknown_symbol(ctx, wanted.series)
    encode = _STREAMS[wanted.media]
    return StreamingResponse(encode(_whole(ctx, table, wanted, first)), media_type=wanted.media)


async def _page(ctx: Context, table: SeriesTable, wanted: RangeRequest) -> Response:
    found = await ctx.history.rows(table, wanted.series, wanted.window, wanted.limit + 1)
    if not found.num_rows:
        await refuse_unknown_symbol(ctx, wanted.series)
    page = found.slice(0, wanted.limit)
    more = found.num_rows > wanted.limit
    body = {
        "items": await asyncio.to_thread(rows, page),
        "next": encode_numbers(next_open_time(page)) if more else None,
    }
    return Response(orjson.dumps(body), media_type="application/json")


async def _whole(
    ctx: Context, table: SeriesTable, wanted: RangeRequest, found: pa.Table
) -> AsyncIterator[pa.Table]:
    """`found`, which is where the range begins, and what follows."""
    yield found
    while found.num_rows == _ROWS_AT_ONCE:
        rest = Window(from_milliseconds(next_open_time(found)), wanted.window.end)
        found = await ctx.history.rows(table, wanted.series, rest, _ROWS_AT_ONCE)
        yield found


async def refuse_unknown_symbol(ctx: Context, series: Series) -> None:
    """Of a series of which nothing was found: a problem when its symbol is neither listed, as far
    as is known, nor has ever been asked for."""
    listed = ctx.markets.known(series.exchange)
    if listed is None:
        return
    errors = unknown_names("symbol", "unknown_symbol", [series.symbol], listed)
    if errors and await ctx.history.extent(series) is None:
        raise invalid_fields(errors)
