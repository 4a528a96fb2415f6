"""What the coordinator needs from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from coordinator.domain.planning import Covered
from coordinator.domain.shadows import Span


class Coverage(Protocol):
    """Knows which slots were asked for and answered before."""

    async def explained(
        self,
        exchange: str,
        symbols: Sequence[str],
        timeframes: Sequence[str],
        *,
        window: TimeRange,
        now: datetime,
    ) -> Covered:
        """What is explained of these series near `window`; nothing before the first job.

        A slot counts when its answer was observed no earlier than its close plus the settle delay
        of the venue, and is not due to be asked for again. Raises `Unavailable`.
        """
        ...

    async def stored(
        self, exchange: str, symbols: Sequence[str], timeframes: Sequence[str]
    ) -> Mapping[Series, TimeRange]:
        """For each of these series the range that holds all that was answered; none without any.

        Raises `Unavailable`.
        """
        ...


class Stock(Protocol):
    """Knows what is stored. Series are of one exchange; every method may raise `Unavailable`."""

    async def candles(
        self, series: Sequence[Series], window: TimeRange
    ) -> Mapping[Series, TimeRange]:
        """For each of these series the slots from its first candle in the window to its last."""
        ...

    async def served(
        self, series: Sequence[Series], feature_set: str
    ) -> Mapping[Series, FeatureBuildRef]:
        """The build of the set that is served of each series; none where none is."""
        ...

    async def lost(
        self,
        feature_set: str,
        exchanged: Mapping[Series, tuple[FeatureBuildRef, FeatureBuildRef]],
    ) -> int:
        """How many candles have features in the first of the two builds, and not in the second."""
        ...


class Changes(Protocol):
    """Knows where a shadow of the candles differs from what is served."""

    async def spans(self) -> Sequence[Span] | None:
        """Of each series that has features and differs: from where to where; None without a shadow.

        Raises `Unavailable`.
        """
        ...
