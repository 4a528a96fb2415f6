"""`/candles`, and `/candles/revisions`: what they were before."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from candlelog.market.slots import SlotState
from candlelog.market.timeframe import milliseconds
from status_api.adapters.candle_ranges import CandleRange
from status_api.domain.cursors import decode_numbers
from status_api.domain.moments import parse_time
from status_api.handlers.context import Ctx
from status_api.handlers.parameters import Cursor, Limit, Moment, OneSeries
from status_api.handlers.ranges import OneRange, answer, described, page, refuse_unknown_symbol

router = APIRouter(tags=["candles"])


class Candle(BaseModel):
    """One slot; prices and `quote_volume` in quote currency, `volume` in base currency.

    With `fill=flagged` also slots without a candle, which have no `source` and no `observed_at`.
    """

    exchange: str
    symbol: str
    timeframe: str
    open_time: str
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None
    quote_volume: float | None
    trades: int | None
    source: str | None
    observed_at: str | None
    state: SlotState = Field(
        description="`present`, or `provisional` where it was read before it had settled; with "
        "`fill=flagged` any"
    )


class CandlePage(BaseModel):
    """Candles in time order."""

    items: list[Candle]
    next: str | None


class Revision(BaseModel):
    """What was believed of a slot from `observed_at` on, before `superseded_at`."""

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
    superseded_at: str | None = Field(description="null for what is believed now")


class RevisionPage(BaseModel):
    """Revisions by open time, those of a slot in the order in which they were believed."""

    items: list[Revision]
    next: str | None


@router.get("/candles", responses=described(CandlePage), response_model=None)
async def get_candles(
    ctx: Ctx,
    wanted: OneRange,
    as_of: Annotated[Moment, Query(description="candles as they were believed then")] = None,
    fill: Annotated[
        Literal["none", "flagged"],
        Query(description="`flagged`: a row also for every slot without a candle"),
    ] = "none",
) -> Response:
    """Candles with open times in `[start, end)`, in time order."""
    now, then = ctx.clock.now(), None if as_of is None else parse_time("as_of", as_of)
    reader = CandleRange(
        ctx.history,
        wanted.series,
        min(now, then or now),
        as_of=then,
        whole=fill == "flagged",
    )
    return await answer(ctx, reader.rows, wanted, reader.revision)


@router.get("/candles/revisions", responses={200: {"model": RevisionPage}}, response_model=None)
async def list_revisions(
    ctx: Ctx, *, wanted: OneSeries, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """The history of every slot in `[start, end)` of which something else was believed before."""
    series, window = wanted
    behind = None if cursor is None else decode_numbers(cursor, 2)
    found = await ctx.history.revisions(series, window, behind, limit + 1)
    if not found.num_rows:
        await refuse_unknown_symbol(ctx, series)
    body = await page(
        found, limit, lambda last: (*map(milliseconds, (last["open_time"], last["observed_at"])),)
    )
    return Response(body, media_type="application/json")
