"""What the gap auditor needs from outside."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun


class Slots(Protocol):
    """Knows the state of every slot."""

    async def runs(
        self, exchange: str, symbols: Sequence[str], timeframe: str, window: TimeRange
    ) -> Mapping[Series, Sequence[SlotRun]]:
        """All slots of the window, for each of the series: runs in order that leave nothing out.

        Raises `Unavailable`.
        """
        ...
