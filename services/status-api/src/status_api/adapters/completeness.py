"""How complete what is stored is, counted in ClickHouse."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import Counted
from candlelog.market.timeframe import Timeframe
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.completeness import counted_by_day, counted_by_series
from status_api.domain.completeness import AskedSeries, Line, day_lines, series_line

_AT_ONCE: Final = 1000
"""Series of one query: what it holds in memory is a number for each of their slots."""

_ASKED: Final = """
SELECT exchange, symbol, timeframe, min(start), max(observed_at) FROM coverage
WHERE ({exchange:String} = '' OR exchange = {exchange:String})
    AND ({symbol:String} = '' OR symbol = {symbol:String})
    AND ({timeframe:String} = '' OR timeframe = {timeframe:String})
    AND (exchange, symbol, timeframe)
        > ({after_exchange:String}, {after_symbol:String}, {after_timeframe:String})
GROUP BY exchange, symbol, timeframe ORDER BY exchange, symbol, timeframe
LIMIT {limit:UInt64}
"""

Names = tuple[str, str, str]
"""Exchange, symbol and timeframe."""


class Completeness:
    """Every method may raise `Unavailable`."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def asked(
        self, wanted: dict[str, str], after: Names, limit: int | None
    ) -> Sequence[AskedSeries]:
        """Series that were ever asked for, by name, behind `after`; all where there is no limit."""
        rows = await self._clickhouse.query(
            _ASKED,
            **wanted,
            after_exchange=after[0],
            after_symbol=after[1],
            after_timeframe=after[2],
            limit=2**62 if limit is None else limit,
        )
        return [AskedSeries(Series(*row[:3]), *row[3:]) for row in rows]

    async def by_series(
        self, asked: Sequence[AskedSeries], start: datetime | None, end: datetime, *, now: datetime
    ) -> list[Line]:
        """A line for each series that has a slot before `end` and `now`, in their order; without
        `start` from the first that was ever answered."""
        found: dict[Series, Counted] = {}
        for exchange, timeframe, group in _groups(asked):
            found |= await counted_by_series(
                self._clickhouse,
                profile(exchange),
                symbols=[each.series.symbol for each in group],
                timeframe=timeframe,
                window=_window(group, timeframe, start, min(end, now)),
                now=now,
                from_first=start is None,
            )
        return [series_line(each, found[each.series]) for each in asked if each.series in found]

    async def by_day(
        self, asked: Sequence[AskedSeries], start: datetime | None, end: datetime, *, now: datetime
    ) -> list[Line]:
        """A line for each day up to `end` and `now`, of all these series together."""
        return day_lines(
            [
                await counted_by_day(
                    self._clickhouse,
                    profile(exchange),
                    symbols=[each.series.symbol for each in group],
                    timeframe=timeframe,
                    window=_window(group, timeframe, start, min(end, now)),
                    now=now,
                    from_first=start is None,
                )
                for exchange, timeframe, group in _groups(asked)
            ]
        )


def _groups(asked: Sequence[AskedSeries]) -> list[tuple[str, str, list[AskedSeries]]]:
    """Series that one query counts."""
    groups: dict[tuple[str, str], list[AskedSeries]] = defaultdict(list)
    for each in asked:
        groups[each.series.exchange, each.series.timeframe].append(each)
    return [
        (*names, group[first : first + _AT_ONCE])
        for names, group in groups.items()
        for first in range(0, len(group), _AT_ONCE)
    ]


def _window(
    group: Sequence[AskedSeries], timeframe: str, start: datetime | None, end: datetime
) -> TimeRange:
    """What is counted of a group: up to the newest candle that has closed by `end`."""
    first = min(each.first for each in group) if start is None else start
    return TimeRange(first, max(first, Timeframe.parse(timeframe).floor(end)))
