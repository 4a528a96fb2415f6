"""Slots as ClickHouse has them."""

from collections.abc import Mapping, Sequence

from candlelog.clock import Clock
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.slots import slot_runs


class ClickHouseSlots:
    """Reads the tables that the sink writes."""

    def __init__(self, clickhouse: ClickHouse, clock: Clock) -> None:
        self._clickhouse = clickhouse
        self._clock = clock

    async def runs(
        self, exchange: str, symbols: Sequence[str], timeframe: str, window: TimeRange
    ) -> Mapping[Series, Sequence[SlotRun]]:
        """One query, whatever the number of symbols; see `gap_auditor.ports.Slots`."""
        return await slot_runs(
            self._clickhouse,
            profile(exchange),
            symbols=symbols,
            timeframe=timeframe,
            window=window,
            now=self._clock.now(),
        )
