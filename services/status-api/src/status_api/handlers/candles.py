"""`/candles`."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from status_api.adapters.series_tables import CANDLES
from status_api.handlers.context import Ctx
from status_api.handlers.ranges import OneRange, answer, described

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


@router.get("/candles", responses=described(CandlePage), response_model=None)
async def get_candles(ctx: Ctx, wanted: OneRange) -> Response:
    """Candles with open times in `[start, end)`, in time order."""
    return await answer(ctx, CANDLES, wanted)
