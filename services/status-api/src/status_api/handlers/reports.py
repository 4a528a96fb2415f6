"""`/reports/completeness`: how much of what should be known is."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from candlelog.events.fields import EARLIEST
from candlelog.market.slots import SlotState
from status_api.domain.completeness import AskedSeries, Freshness, Line, freshness, rolled_up
from status_api.domain.cursors import SeriesKey
from status_api.handlers.answers import json_response
from status_api.handlers.context import Context, Ctx
from status_api.handlers.parameters import AnySeries, Cursor, Limit, Times

router = APIRouter(prefix="/reports", tags=["candles"])

_By = Annotated[
    Literal["series", "symbol", "exchange", "day"],
    Query(description="what a line is about; all but `series` are answered whole, in one page"),
]
_KEYS: Final[dict[str, Callable[[Line], object]]] = {
    "symbol": lambda line: (line.exchange, line.symbol),
    "exchange": lambda line: line.exchange,
}


class CompletenessView(BaseModel):
    """Slots of one or more series in `[start, end)`; names that differ among them are null."""

    exchange: str | None
    symbol: str | None
    timeframe: str | None
    day: date | None
    series: int | None = Field(description="how many; null for a day")
    start: datetime
    end: datetime
    slots: int
    states: dict[SlotState, int] = Field(description="how many slots are in which state")
    completeness: float = Field(
        description="slots that are neither `unknown` nor `unfetchable` over all, 0 to 1"
    )
    freshness: Freshness | None = Field(
        description="how long the next candle has been missing: less than 2 h, than 24 h, or more; "
        "of several series the worst; null for a day, and with an `end` before now"
    )
    overdue_seconds: float | None = Field(description="so long; 0 where it has not closed yet")
    read_at: datetime | None = Field(
        description="when the series was read last; of several the one that was read longest ago"
    )


class CompletenessPage(BaseModel):
    """Lines by name, or by day."""

    items: list[CompletenessView]
    next: str | None


@router.get("/completeness", responses={200: {"model": CompletenessPage}}, response_model=None)
async def completeness(
    ctx: Ctx,
    *,
    wanted: AnySeries,
    times: Times,
    by: _By = "series",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """How many slots of what was ever asked for are in which state: up to now, and without `start`
    from the first one of each series that was answered.
    """
    after = SeriesKey("", "", "") if cursor is None else SeriesKey.decode(cursor)
    paged = by == "series"
    asked = await ctx.history.completeness.asked(
        wanted.names,
        (after.exchange, after.symbol, after.timeframe),
        limit + 1 if paged else None,
    )
    now = ctx.clock.now()
    start = None if times.start == EARLIEST else times.start
    lines = await _lines(
        ctx, by, asked[:limit] if paged else asked, start=start, end=times.end, now=now
    )
    last = asked[limit - 1].series if paged and len(asked) > limit else None
    page = CompletenessPage(
        items=[_view(line, now if times.end >= now else None) for line in lines],
        next=last and SeriesKey(last.exchange, last.symbol, last.timeframe).encode(),
    )
    return json_response(page)


async def _lines(
    ctx: Context,
    by: str,
    asked: Sequence[AskedSeries],
    *,
    start: datetime | None,
    end: datetime,
    now: datetime,
) -> list[Line]:
    if by == "day":
        return await ctx.history.completeness.by_day(asked, start, end, now=now)
    lines = await ctx.history.completeness.by_series(asked, start, end, now=now)
    return rolled_up(lines, _KEYS[by]) if by in _KEYS else lines


def _view(line: Line, now: datetime | None) -> CompletenessView:
    """How fresh it is can be said of what is counted up to now alone."""
    overdue = None
    if now is not None and line.due is not None:
        overdue = max(0.0, (now - line.due).total_seconds())
    return CompletenessView(
        exchange=line.exchange,
        symbol=line.symbol,
        timeframe=line.timeframe,
        day=line.day,
        series=line.series or None,
        start=line.start,
        end=line.end,
        slots=line.slots,
        states=dict(line.states),
        completeness=line.completeness,
        freshness=None if overdue is None else freshness(overdue),
        overdue_seconds=overdue,
        read_at=line.read_at,
    )
