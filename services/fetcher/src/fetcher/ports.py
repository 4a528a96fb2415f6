"""What the fetcher needs of a venue."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from candlelog.events.markets import Market
from candlelog.market.pages import Layout
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange
from fetcher.domain.venue_time import TimeReading

Said_co = TypeVar("Said_co", covariant=True)

Gate = Callable[[], None]
"""Called as the last thing before a request is written; raises when it must not be."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[Said_co]):
    """What a venue said. `sent` and `received` are our steady clock; `used` is the weight it
    counted so far in its window, from everybody, and `date` the second it answered in, since the
    epoch, where it tells."""

    said: Said_co
    sent: float
    received: float
    used: float | None
    date: float | None = None


@dataclass(frozen=True, slots=True)
class MarketList:
    """The markets of a venue, and the limit it states, in weight per window of its profile."""

    markets: tuple[Market, ...]
    capacity: float | None


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as the venue wrote it, a list of rows in JSON, and where these hold what; `window` is
    what it answers for, the end of what was asked for at least."""

    text: bytes
    layout: Layout
    window: TimeRange


class Exchange(Protocol):
    """A venue. Every method writes one request, after `gate` let it, and raises `VenueFailure`."""

    async def time(self, gate: Gate) -> Answer[TimeReading]:
        """The venue's clock."""
        ...

    async def markets(self, gate: Gate) -> Answer[MarketList]:
        """Everything the venue lists; knows its symbols from then on."""
        ...

    async def candles(
        self, symbol: str, timeframe: str, window: TimeRange, gate: Gate, *, most: int
    ) -> Answer[RawPage]:
        """The rows of `window`, the first `most` of them. Needs `markets` once before."""
        ...


OpenExchange = Callable[[ExchangeProfile], AbstractAsyncContextManager[Exchange]]
"""Opens a venue; contacts nobody."""
