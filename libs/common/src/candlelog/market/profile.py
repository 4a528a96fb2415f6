"""Exchange profiles: what is true of a venue, as data, one file per exchange."""

from datetime import datetime
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from candlelog.errors import Invalid
from candlelog.market.timeframe import Timeframe

Call = Literal["klines", "exchange_info", "time"]


class BudgetProfile(BaseModel):
    """A limit of the venue: `capacity` weight in each window, whenever in it or evenly spaced."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    capacity: float = Field(gt=0)
    window_seconds: int = Field(gt=0)
    kind: Literal["window", "spaced"] = "window"


class ArchiveProfile(BaseModel):
    """Files of candles that there are of a venue: `name` is what the archive is called.

    Klines lie in one of the trees of such an archive; OHLCVT files lie anywhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    form: Literal["klines", "ohlcvt"]
    tree: Literal["spot", "futures/um"] = "spot"


class ExchangeProfile(BaseModel):
    """What planning and fetching need to know of a venue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    ccxt_id: str
    page_size: int = Field(gt=0)
    """Candles the venue answers at most for one request."""
    reach: int | None = Field(default=None, gt=0)
    """The newest candles are all it answers, so many; None where it answers of all times."""
    timeframes: tuple[str, ...]
    sparse: bool
    """True where the venue has no row for a slot in which nothing was traded."""
    settle_delay_seconds: int = Field(ge=0)
    """How long after its close a candle may still change."""
    budgets: tuple[BudgetProfile, ...]
    weights: dict[Call, float]
    clock_resolution: float = Field(default=0.001, gt=0)
    """Seconds between two times it can state."""
    in_flight_chunks: int = Field(gt=0)
    """Chunks released and not yet stored, at most."""
    archive: ArchiveProfile | None = None
    """The archive that holds its candles; a system need not have it."""

    def oldest_within_reach(self, frame: Timeframe, now: datetime) -> datetime | None:
        """The oldest slot that it answers for, where it answers its newest candles alone, of which
        the open one is one; None where it answers of all times."""
        if self.reach is None:
            return None
        return frame.advance(frame.floor(now), 1 - self.reach)


EXCHANGES: tuple[str, ...] = ("binance", "binanceusdm", "kraken")


@cache
def profile(exchange: str) -> ExchangeProfile:
    """The profile of an exchange; `Invalid` names the nearest ones there are."""
    if exchange not in EXCHANGES:
        near = get_close_matches(exchange, EXCHANGES, n=3, cutoff=0.5) or EXCHANGES
        raise Invalid(f"unknown exchange {exchange!r}; did you mean {', '.join(near)}?")
    text = files("candlelog.market").joinpath("exchanges", f"{exchange}.json").read_text()
    return ExchangeProfile.model_validate_json(text)
