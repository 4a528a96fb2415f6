"""From a group of events to the features of all candles they may have changed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import structlog
from numpy.typing import NDArray

from candlelog.events.features import (
    ChunkFeatures,
    FeatureBatchHeaderV1,
    FeatureBatchV1,
    feature_schema,
)
from candlelog.events.topics import CANDLES
from candlelog.gathering import gather
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.partitioner import partition_of
from candlelog.log.publish import Publisher
from candlelog.log.types import Outgoing, Received
from candlelog.market.candles import Columns
from candlelog.market.feature_sets import FeatureSets
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import TIMEFRAMES, Timeframe, from_milliseconds, milliseconds
from featurizer.domain.computation import Computation
from featurizer.domain.positions import positions
from featurizer.domain.requests import Asked, Build, Request, Work, sets_asked, work_of
from featurizer.domain.windows import W, Window, together, windows
from featurizer.ports import Barrier, Stored

_PART_ROWS: Final = 10_000
"""Rows of one batch on the log."""
_AT_ONCE: Final = 2
"""Series that are read and computed side by side."""
_EPOCH_BITS: Final = 44
_LOGGER: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is computed at once, and the epoch of the topic `candles`."""

    rows: int
    topic_epoch: int


class Featurize:
    """Handles groups of events; holds nothing between two of them.

    Candles are read behind the barrier: everything the events speak of is stored then. Whatever is
    stored later comes as an event of its own, with a higher revision, and is computed again. So it
    does not matter how often, by whom and in what company an event is handled.
    """

    def __init__(
        self,
        stored: Stored,
        barrier: Barrier,
        publisher: Publisher,
        feature_sets: FeatureSets,
        *,
        limits: Limits,
    ) -> None:
        self._stored = stored
        self._barrier = barrier
        self._publisher = publisher
        self._computations: Final = {
            ref: Computation(feature_set) for ref, feature_set in feature_sets.versions.items()
        }
        self._limits: Final = limits
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """One outcome for each event, once all features are on the log. Raises `Unavailable`."""
        outcomes = [self._outcome(item) for item in received]
        requests = [
            item.event
            for item, outcome in zip(received, outcomes, strict=True)
            if outcome == Done() and isinstance(item.event, Request)
        ]
        records = (item.record for item in received)
        await self._barrier.passed(positions(records, self._publisher.topic_prefix))
        works = work_of(requests)
        kept = await self._stored.builds(works)
        await gather(
            self._series(series, work, kept.get(series, ())) for series, work in works.items()
        )
        return outcomes

    def _outcome(self, item: Received) -> Outcome:
        event = item.event
        if not isinstance(event, Request):
            return Skip("nothing to compute")
        if event.timeframe not in TIMEFRAMES:
            return Reject(f"unknown timeframe {event.timeframe!r}")
        unknown = [
            feature_set
            for feature_set in sets_asked(event)
            if feature_set not in self._computations
        ]
        if unknown:
            known = ", ".join(sorted(ref.text for ref in self._computations))
            return Reject(f"no feature set {unknown[0].text}; there are {known}")
        return Done()

    async def _series(self, series: Series, work: Work, kept: Sequence[Build]) -> None:
        builds = work.meant([build for build in kept if self._knows(series, build)])
        if not builds:
            return
        tally = _Tally(series, builds, work.asked)
        grid = Timeframe.parse(series.timeframe)
        async with self._room:
            for spans in together(work.spans, grid, self._limits.rows):
                start: int | None = milliseconds(spans[0].start)
                while start is not None:
                    start = await self._stretch(tally, start, spans)
            if work.asked:
                await self._answer(tally)

    async def _stretch(self, tally: "_Tally", start: int, spans: Sequence[TimeRange]) -> int | None:
        """Compute candles of the spans from `start` on, and those after them that these weigh on.
        Returns where to go on when a span, which stands alone then, was too long for once.
        """
        spans = [TimeRange(from_milliseconds(start), spans[0].end), *spans[1:]]
        slots = Timeframe.parse(tally.series.timeframe).count(spans[0].start, spans[-1].end)
        rows = min(self._limits.rows, slots)
        revision = self._revision(tally.series)
        found = await self._stored.candles(tally.series, start, before=W, most=rows + W)
        times = found.open_time
        touched = windows(spans, times)
        if not touched:
            return None
        last = touched[-1]
        if last.end < len(times) or len(times) - last.start < rows + W:
            go_on = None
        else:
            touched[-1] = replace(last, end=last.start + rows)
            go_on = int(times[last.start + rows])
        for window in touched:
            tally.count(times[window.start : window.end])
        for build in tally.builds:
            await self._publish(_header(tally.series, build, revision), found, touched)
        return go_on

    async def _publish(
        self, header: FeatureBatchHeaderV1, candles: Columns, touched: Sequence[Window]
    ) -> None:
        """Features of the candles in these windows; a thread computes and encodes them."""
        await self._publisher.send(
            await asyncio.to_thread(self._computed, header, candles, touched)
        )

    def _computed(
        self, header: FeatureBatchHeaderV1, candles: Columns, touched: Sequence[Window]
    ) -> list[Outgoing]:
        grid = Timeframe.parse(header.timeframe)
        computation = self._computations[header.feature_set]
        found: list[Outgoing] = []
        for window in touched:
            read = candles.part(window.read_from, window.end)
            rows = computation.compute(grid, read).slice(window.skipped)
            parts = (rows.slice(at, _PART_ROWS) for at in range(0, rows.num_rows, _PART_ROWS))
            found += [self._publisher.outgoing(FeatureBatchV1(header, part)) for part in parts]
        return found

    async def _answer(self, tally: "_Tally") -> None:
        """Say which chunks are through, behind everything that was computed for them."""
        header = _header(
            tally.series, tally.builds[-1], self._revision(tally.series), tally.answers()
        )
        nothing = pa.RecordBatch.from_pylist([], schema=feature_schema([]))
        await self._publisher.publish(FeatureBatchV1(header, nothing))

    def _knows(self, series: Series, build: Build) -> bool:
        if build.feature_set in self._computations:
            return True
        _LOGGER.warning(
            "unknown_feature_set", series=series.text, feature_set=build.feature_set.text
        )
        return False

    def _revision(self, series: Series) -> int:
        """What is read from now on holds all of `candles` below it."""
        partition = partition_of(series.text.encode(), CANDLES.partitions)
        position = self._barrier.position(CANDLES.name, partition)
        return (self._limits.topic_epoch << _EPOCH_BITS) + position


class _Tally:
    """What is computed of a series, and how many candles each chunk that asked has."""

    def __init__(self, series: Series, builds: Sequence[Build], asked: Sequence[Asked]) -> None:
        self.series: Final = series
        self.builds: Final = builds
        self._asked = asked
        self._counts = [0] * len(asked)
        self._counted_until = 0

    def count(self, open_time: NDArray[np.int64]) -> None:
        """These candles (milliseconds since the epoch, in order) have their features. Those that
        were counted before, behind a span that came earlier, are not counted again."""
        open_time = open_time[np.searchsorted(open_time, self._counted_until) :]
        if len(open_time):
            self._counted_until = int(open_time[-1]) + 1
        for number, asked in enumerate(self._asked):
            bounds = (milliseconds(asked.span.start), milliseconds(asked.span.end))
            low, high = np.searchsorted(open_time, bounds).tolist()
            self._counts[number] += high - low

    def answers(self) -> tuple[ChunkFeatures, ...]:
        """Every chunk with its count."""
        return tuple(
            asked.chunk.model_copy(update={"features": count})
            for asked, count in zip(self._asked, self._counts, strict=True)
        )


def _header(
    series: Series, build: Build, revision: int, answers: tuple[ChunkFeatures, ...] = ()
) -> FeatureBatchHeaderV1:
    return FeatureBatchHeaderV1(
        exchange=series.exchange,
        symbol=series.symbol,
        timeframe=series.timeframe,
        feature_set=build.feature_set,
        build=build.build,
        revision=revision,
        answers=answers,
    )
