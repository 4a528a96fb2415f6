"""A range of a series: pages of JSON, or all of it as CSV, Arrow or Parquet while it is read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal

import orjson
import pyarrow as pa
from fastapi import Depends, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from candlelog.events.fields import EARLIEST
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe, from_milliseconds, milliseconds
from status_api.adapters.history import Window
from status_api.domain.cursors import encode_numbers
from status_api.domain.media_types import most_wanted
from status_api.domain.problems import invalid_fields
from status_api.domain.suggestions import unknown_names
from status_api.handlers.answers import PROBLEM_CONTENT
from status_api.handlers.context import Context
from status_api.handlers.parameters import Cursor, OneSeries, resumed
from status_api.handlers.tables import (
    arrow_stream,
    csv_text,
    next_open_time,
    parquet_file,
    rows,
)

_ROWS_AT_ONCE: Final = 20_000

_CSV: Final = "text/csv"
_ARROW: Final = "application/vnd.apache.arrow.stream"
_PARQUET: Final = "application/vnd.apache.parquet"
_STREAMS: Final[dict[str, Callable[[AsyncIterator[pa.Table]], AsyncIterator[bytes]]]] = {
    _CSV: csv_text,
    _ARROW: arrow_stream,
    _PARQUET: parquet_file,
}
_JSON: Final = "application/json"
_MEDIA: Final = {"json": _JSON, "csv": _CSV, "arrow": _ARROW, "parquet": _PARQUET}


Row = Mapping[str, Any]


Read = Callable[[Window, int], Awaitable[pa.Table]]
"""Up to so many rows with open times in the window, in time order; may raise `Unavailable`."""

Revision = Callable[[Window], Awaitable[str]]
"""Another text whenever the rows of the window may be other ones; may raise `Unavailable`."""


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """What of a table is wanted: a page of JSON of `limit` rows at most, or a stream of all."""

    series: Series
    window: Window
    limit: int
    media: str
    known: str


def range_request(
    *,
    wanted: OneSeries,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    format: Annotated[  # noqa: A002 -- the name of the parameter is a contract
        Literal["json", "csv", "arrow", "parquet"] | None,
        Query(description="csv, arrow and parquet stream the whole range"),
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    if_none_match: Annotated[
        str, Header(description="ETags of earlier answers to the same request: 304 if one holds")
    ] = "",
) -> RangeRequest:
    """The parameters of a query about a range."""
    series, window = wanted
    media = most_wanted(accept, (_JSON, *_STREAMS)) if format is None else _MEDIA[format]
    return RangeRequest(series, resumed(window, cursor), limit, media, if_none_match)


OneRange = Annotated[RangeRequest, Depends(range_request)]


def described(page: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The answers of a route, for the OpenAPI document."""
    return {
        200: {"model": page, "content": {media: {} for media in _STREAMS}},
        304: {"description": "what `If-None-Match` names holds"},
        406: {"description": "none of the types of Accept", "content": PROBLEM_CONTENT},
    }


async def answer(
    ctx: Context, read: Read, wanted: RangeRequest, revision: Revision | None = None
) -> Response:
    """The rows that are wanted, in time order. Who has had those of a `revision` hears just that.

    Of a page twice as many slots are looked at first as it holds rows: where these fill it, no
    other slot matters, and what is read later in the range leaves the tag of the page as it was.
    """
    told = {"Vary": "Accept"}
    streamed = wanted.media != _JSON
    most = _ROWS_AT_ONCE if streamed else wanted.limit + 1
    found = None
    for window in (wanted.window,) if revision is None or streamed else _windows(wanted):
        if revision is not None:  # found before the rows, which may be newer than their tag
            tag = told["ETag"] = _tag(await revision(window), wanted.media)
            if {tag, "*"} & {each.strip() for each in wanted.known.split(",")}:
                return Response(status_code=304, headers=told)
        found = await read(window, most)
        if found.num_rows == most:
            break
    assert found is not None  # there is a window
    if not found.num_rows:
        await refuse_unknown_symbol(ctx, wanted.series)
    if streamed:
        body = _STREAMS[wanted.media](_whole(read, wanted.window.end, found))
        return StreamingResponse(body, media_type=wanted.media, headers=told)
    body = await page(found, wanted.limit, lambda last: (milliseconds(last["open_time"]) + 1,))
    return Response(body, media_type=_JSON, headers=told)


def _windows(wanted: RangeRequest) -> list[Window]:
    """What fills a page where every other slot has a row, and then all that is wanted."""
    start, step = wanted.window.start, Timeframe.parse(wanted.series.timeframe).duration
    if step is None or start <= EARLIEST:  # slots of no fixed length, or from whichever is first
        return [wanted.window]
    end = start + 2 * (wanted.limit + 1) * step
    return [Window(start, end), wanted.window] if end < wanted.window.end else [wanted.window]


async def page(found: pa.Table, limit: int, behind: Callable[[Row], tuple[int, ...]]) -> bytes:
    """The first `limit` rows as JSON, with a cursor if there are more: of `behind` the last one."""
    shown = found.slice(0, limit)
    items = await asyncio.to_thread(rows, shown)
    (last,) = shown.slice(limit - 1).to_pylist() if found.num_rows > limit else (None,)
    return orjson.dumps({"items": items, "next": last and encode_numbers(*behind(last))})


def _tag(revision: str, media: str) -> str:
    """Weak: another replica may write the same rows in other bytes."""
    return f'W/"{blake2b(f"{revision} {media}".encode(), digest_size=12).hexdigest()}"'


async def _whole(read: Read, end: datetime, found: pa.Table) -> AsyncIterator[pa.Table]:
    """`found`, which is where the range begins, and what follows."""
    yield found
    while found.num_rows == _ROWS_AT_ONCE:
        rest = Window(from_milliseconds(next_open_time(found)), end)
        found = await read(rest, _ROWS_AT_ONCE)
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
