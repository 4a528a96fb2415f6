"""Coverage as ClickHouse has it."""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from candlelog.errors import Unavailable
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.coverage import explained_ranges
from coordinator.domain.planning import Covered

T = TypeVar("T")

_UNKNOWN_TABLE: Final = 60
_UNKNOWN_DATABASE: Final = 81


_STORED: Final = """
SELECT symbol, timeframe, min(start), max(end) FROM coverage
WHERE exchange = {exchange:String}
    AND symbol IN {symbols:Array(String)} AND timeframe IN {timeframes:Array(String)}
GROUP BY symbol, timeframe
"""


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
        now: datetime,
    ) -> Covered:
        """Two queries, whatever the number of series; see `coordinator.ports.Coverage`."""
        return await _or_nothing(
            explained_ranges(
                self._clickhouse,
                venue=profile(exchange),
                symbols=symbols,
                timeframes=timeframes,
                window=window,
                now=now,
            ),
            {},
        )

    async def stored(
        self, exchange: str, symbols: Sequence[str], timeframes: Sequence[str]
    ) -> Mapping[Series, TimeRange]:
        """One query, whatever the number of series; see `coordinator.ports.Coverage`."""
        query = self._clickhouse.query(
            _STORED, exchange=exchange, symbols=list(symbols), timeframes=list(timeframes)
        )
        return {
            Series(exchange, symbol, timeframe): TimeRange(start, end)
            for symbol, timeframe, start, end in await _or_nothing(query, [])
        }


async def _or_nothing(asked: Awaitable[T], nothing: T) -> T:
    """What was asked; `nothing` where no sink has run yet: the first job need not wait for one."""
    try:
        return await asked
    except Unavailable as error:
        if getattr(error.__cause__, "code", None) in {_UNKNOWN_TABLE, _UNKNOWN_DATABASE}:
            return nothing
        raise
