"""Coverage as ClickHouse has it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from candlelog.errors import Unavailable
from candlelog.market.ranges import TimeRange
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.coverage import explained_ranges
from coordinator.domain.planning import Covered

_UNKNOWN_TABLE: Final = 60
_UNKNOWN_DATABASE: Final = 81


class ClickHouseCoverage:
    """Reads the table `coverage`, which the sink writes."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def explained(
        self,
        exchange: str,
        symbols: Sequence[str],
        timeframes: Sequence[str],
        *,
        window: TimeRange,
        settle_delay: timedelta,
    ) -> Covered:
        """One query, whatever the number of series; see `coordinator.ports.Coverage`."""
        try:
            return await explained_ranges(
                self._clickhouse,
                exchange=exchange,
                symbols=symbols,
                timeframes=timeframes,
                window=window,
                settle_delay=settle_delay,
            )
        except Unavailable as error:
            # No sink has run yet, so nothing is stored: the first job need not wait for one.
            if getattr(error.__cause__, "code", None) in {_UNKNOWN_TABLE, _UNKNOWN_DATABASE}:
                return {}
            raise
