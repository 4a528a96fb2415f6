"""Coverage and stock in memory, for tests: keep the promises that those of ClickHouse keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange, merge
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.planning import Covered
from coordinator.domain.replays import slots_between
from coordinator.domain.shadows import Span


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
        now: datetime,
    ) -> Covered:
        """See `coordinator.ports.Coverage`; every answer had a candle of each slot."""
        del now
        settle_delay = timedelta(seconds=profile(exchange).settle_delay_seconds)
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


class MemoryStock:
    """Answers from open times of candles, and from those of features by build."""

    def __init__(self) -> None:
        self.open_times: dict[Series, set[datetime]] = {}
        self.serving: dict[tuple[Series, str], FeatureBuildRef] = {}
        self.features: dict[tuple[Series, str, int, int], set[datetime]] = {}

    async def candles(
        self, series: Sequence[Series], window: TimeRange
    ) -> Mapping[Series, TimeRange]:
        """See `coordinator.ports.Stock`."""
        found: dict[Series, TimeRange] = {}
        for each in series:
            times = self.open_times.get(each, set[datetime]())
            inside = [time for time in times if window.start <= time < window.end]
            if inside:
                frame = Timeframe.parse(each.timeframe)
                found[each] = slots_between(frame, min(inside), max(inside))
        return found

    async def served(
        self, series: Sequence[Series], feature_set: str
    ) -> Mapping[Series, FeatureBuildRef]:
        """See `coordinator.ports.Stock`."""
        return {
            each: self.serving[each, feature_set]
            for each in series
            if (each, feature_set) in self.serving
        }

    async def lost(
        self,
        feature_set: str,
        exchanged: Mapping[Series, tuple[FeatureBuildRef, FeatureBuildRef]],
    ) -> int:
        """See `coordinator.ports.Stock`."""
        return sum(
            len(
                self.open_times.get(series, set[datetime]())
                & self._times(series, feature_set, old) - self._times(series, feature_set, new)
            )
            for series, (old, new) in exchanged.items()
        )

    def _times(self, series: Series, feature_set: str, build: FeatureBuildRef) -> set[datetime]:
        return self.features.get((series, feature_set, build.version, build.build), set())


class MemoryChanges:
    """Answers what it was given."""

    def __init__(self) -> None:
        self.found: list[Span] | None = []

    async def spans(self) -> Sequence[Span] | None:
        """See `coordinator.ports.Changes`."""
        return self.found
