"""`/reports/seams`: whether files and the venue tell the same where both were read."""

from datetime import datetime
from typing import Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from status_api.domain.cursors import SeriesKey
from status_api.domain.seams import Difference, Prices, Seam
from status_api.handlers.answers import json_response
from status_api.handlers.context import Ctx
from status_api.handlers.parameters import AnySeries, Cursor, Limit

router = APIRouter(prefix="/reports", tags=["candles"])

_MOST_SHOWN: Final = 100


class PricesView(BaseModel):
    """Prices in quote currency, the volume in base currency."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class DifferenceView(BaseModel):
    """A slot of which a file holds something else than the venue told last."""

    open_time: datetime
    archive: PricesView
    venue: PricesView


class SeamView(BaseModel):
    """Slots `[start, end)` of a series that were read from files and asked of the venue."""

    exchange: str
    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    slots: int
    differing: int = Field(description="how many of them differ")
    differences: list[DifferenceView] = Field(description=f"the first {_MOST_SHOWN} of these")


class SeamPage(BaseModel):
    """Seams by series and start; a page holds all those of its series."""

    items: list[SeamView]
    next: str | None


@router.get("/seams", responses={200: {"model": SeamPage}}, response_model=None)
async def list_seams(
    ctx: Ctx, *, wanted: AnySeries, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Where candles of files and of the venue were compared, and what differs; `limit` counts
    series."""
    after = SeriesKey("", "", "") if cursor is None else SeriesKey.decode(cursor)
    names = (after.exchange, after.symbol, after.timeframe)
    found = await ctx.history.seams.series(wanted.names, names, limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    page = SeamPage(
        items=[_view(seam) for seam in await ctx.history.seams.of(found[:limit])],
        next=last and SeriesKey(last.exchange, last.symbol, last.timeframe).encode(),
    )
    return json_response(page)


def _view(seam: Seam) -> SeamView:
    return SeamView(
        exchange=seam.series.exchange,
        symbol=seam.series.symbol,
        timeframe=seam.series.timeframe,
        start=seam.start,
        end=seam.end,
        slots=seam.slots,
        differing=len(seam.differing),
        differences=[_difference(each) for each in seam.differing[:_MOST_SHOWN]],
    )


def _difference(each: Difference) -> DifferenceView:
    return DifferenceView(
        open_time=each.open_time, archive=_prices(each.archive), venue=_prices(each.venue)
    )


def _prices(prices: Prices) -> PricesView:
    return PricesView.model_validate(prices._asdict())
