"""How a venue's interface is spoken: what is asked, and what the parsed bodies of answers say.

Nothing here knows ccxt, HTTP or budgets. Reading may raise `VenueFailure`, and whatever a body of
another shape leads to: who calls takes that for an answer that was not understood.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from candlelog.events.markets import Market
from candlelog.market.profile import BudgetProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from fetcher.ports import RawPage

_YEAR_2200: Final = 7_258_118_400.0

Question = Mapping[str, Any]
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a venue answers: ccxt's `section` of its addresses and the path below the origin, and
    ccxt's names of the calls."""

    section: str
    path: str
    time: str
    markets: str
    candles: str


@dataclass(frozen=True, slots=True)
class Clock:
    """What a venue says the time is: seconds since the epoch, rounded down to `resolution`. Raises
    `ValueError` for what is no time of ours."""

    seconds: float
    resolution: float

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < _YEAR_2200:
            raise ValueError("no time of ours")


@dataclass(frozen=True, slots=True)
class Listed:
    """A market, and what the venue calls it."""

    market: Market
    id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Candles to ask for. `interval` is the timeframe in the words of ccxt's table."""

    id: str
    timeframe: Timeframe
    interval: str | int
    window: TimeRange
    page_size: int


class Dialect(Protocol):
    """One family of venues."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers."""
        ...

    def clock(self, body: Any) -> Clock:
        """The venue's time."""
        ...

    def entries(self, body: Any) -> Iterable[Any]:
        """What an answer about markets lists."""
        ...

    def listed(self, foreign: Any, entry: Any) -> Listed | None:
        """The market of one entry, None for one of another kind; `foreign` is ccxt's venue, which
        knows names."""
        ...

    def capacity(self, body: Any, budget: BudgetProfile) -> float | None:
        """The limit that the answer about markets states, if it does."""
        ...

    def question(self, wanted: Wanted) -> Question:
        """The parameters of a request for candles."""
        ...

    def page(self, text: bytes, body: Any, wanted: Wanted) -> RawPage:
        """The rows of an answer about candles; `body` is None where the text is a list."""
        ...

    def used(self, headers: Headers) -> float | None:
        """The weight that the venue has counted, if it says."""
        ...
