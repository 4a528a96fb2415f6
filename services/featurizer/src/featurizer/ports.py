"""What the featurizer needs from outside."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from candlelog.market.candles import Columns
from candlelog.market.series import Series
from featurizer.domain.requests import Build


class Stored(Protocol):
    """What is stored. Methods may raise `Unavailable`, and may then be called again."""

    async def builds(self, series: Collection[Series]) -> Mapping[Series, Sequence[Build]]:
        """The builds that are to be kept up; series without any are left out."""
        ...

    async def candles(self, series: Series, start: int, *, before: int, most: int) -> Columns:
        """Stored candles in the order of time: up to `most` that open at `start` (milliseconds
        since the epoch) or later, and the `before` ahead of them, or all where there are fewer.
        """
        ...


class Barrier(Protocol):
    """How far the sink has stored each partition, as it says itself."""

    async def passed(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Wait until all of (topic without prefix, partition) is stored below these positions."""
        ...

    def position(self, topic: str, partition: int) -> int:
        """Everything below it is stored; 0 while nothing is known."""
        ...
