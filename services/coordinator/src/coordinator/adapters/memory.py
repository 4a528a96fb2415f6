"""Coverage in memory, for tests: keeps the promises that the one of ClickHouse keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from candlelog.market.ranges import TimeRange, merge
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.planning import Covered


@dataclass(frozen=True, slots=True)
class Observation:
    """A range of a series was answered by the venue at `observed_at`."""

    series: Series
    asked: TimeRange
    observed_at: datetime


class MemoryCoverage:
    """Answers from a list of observations."""

    def __init__(self) -> None:
        self.observations: list[Observation] = []

    async def explained(
        self,
        exchange: str,
        symbols: Sequence[str],
        timeframes: Sequence[str],
        *,
        window: TimeRange,
        settle_delay: timedelta,
    ) -> Covered:
        """See `coordinator.ports.Coverage`."""
        wanted = {Series(exchange, symbol, frame) for symbol in symbols for frame in timeframes}
        found: dict[Series, list[TimeRange]] = {}
        for seen in self.observations:
            frame = Timeframe.parse(seen.series.timeframe)
            end = frame.floor(min(seen.asked.end, seen.observed_at - settle_delay))
            near = seen.asked.start < window.end and seen.asked.end > window.start
            if seen.series in wanted and near and seen.asked.start < end:
                found.setdefault(seen.series, []).append(TimeRange(seen.asked.start, end))
        return {series: merge(ranges) for series, ranges in found.items()}

    async def stored(
        self, exchange: str, symbols: Sequence[str], timeframes: Sequence[str]
    ) -> Mapping[Series, TimeRange]:
        """See `coordinator.ports.Coverage`."""
        found: dict[Series, TimeRange] = {}
        for seen in self.observations:
            series, asked = seen.series, seen.asked
            known = found.get(series, asked)
            if (
                series.exchange == exchange
                and series.symbol in symbols
                and series.timeframe in timeframes
            ):
                found[series] = TimeRange(min(known.start, asked.start), max(known.end, asked.end))
        return found
