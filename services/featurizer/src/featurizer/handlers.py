"""From a group of events to the features of all candles they may have changed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import structlog

from candlelog.events.candles import CandleBatchV1
from candlelog.events.features import (
    ChunkFeatures,
    FeatureBatchHeaderV1,
    FeatureBatchV1,
    feature_schema,
)
from candlelog.events.fields import LATEST
from candlelog.events.topics import CANDLES
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.partitioner import partition_of
from candlelog.log.publish import Publisher
from candlelog.log.types import Received
from candlelog.market.candles import Columns
from candlelog.market.feature_sets import FeatureSet
from candlelog.market.series import Series
from candlelog.market.timeframe import TIMEFRAMES, Timeframe, from_milliseconds, milliseconds
from featurizer.domain.computation import compute
from featurizer.domain.requests import Asked, Build, Request, Span, Work, builds_asked, work_of
from featurizer.domain.windows import W
from featurizer.ports import Barrier, Stored

_LAST: Final = milliseconds(LATEST)
_PART_ROWS: Final = 10_000
"""Rows of one batch on the log."""
_AT_ONCE: Final = 4
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
        feature_sets: Mapping[str, FeatureSet],
        *,
        limits: Limits,
    ) -> None:
        self._stored = stored
        self._barrier = barrier
        self._publisher = publisher
        self._sets: Final = {each.ref: each for each in feature_sets.values()}
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
        await self._barrier.passed(_positions(received, self._publisher.topic_prefix))
        works = work_of(requests)
        kept = await self._stored.builds(works)
        await asyncio.gather(
            *(self._series(series, work, kept.get(series, ())) for series, work in works.items())
        )
        return outcomes

    def _outcome(self, item: Received) -> Outcome:
        event = item.event
        if not isinstance(event, Request):
            return Skip("nothing to compute")
        timeframe = event.header.timeframe if isinstance(event, CandleBatchV1) else event.timeframe
        if timeframe not in TIMEFRAMES:
            return Reject(f"unknown timeframe {timeframe!r}")
        unknown = [build for build in builds_asked(event) if build.feature_set not in self._sets]
        if unknown:
            known = ", ".join(sorted(ref.text for ref in self._sets))
            return Reject(f"no feature set {unknown[0].feature_set.text}; there are {known}")
        return Done()

    async def _series(self, series: Series, work: Work, kept: Sequence[Build]) -> None:
        builds = sorted(work.builds | {build for build in kept if self._knows(series, build)})
        if not builds:
            return
        async with self._room:
            counts = [0] * len(work.asked)
            for span in work.spans:
                await self._span(series, span, builds, _Counting(work.asked, counts))
            answers = tuple(
                asked.chunk.model_copy(update={"features": count})
                for asked, count in zip(work.asked, counts, strict=True)
            )
            if answers:
                await self._answer(series, builds[-1], answers)

    async def _span(
        self, series: Series, span: Span, builds: Sequence[Build], counting: "_Counting"
    ) -> None:
        """Compute the candles of the span, and those after it that its candles still weigh on."""
        grid = Timeframe.parse(series.timeframe)
        slots = grid.count(from_milliseconds(span.start), from_milliseconds(span.end))
        most = min(self._limits.rows, slots + W)
        start, left = span.start, W
        while left > 0:
            revision = self._revision(series)
            found = await self._stored.candles(series, Span(start, _LAST), before=W, most=most)
            first = int(np.searchsorted(found.open_time, start))
            inside = int(np.searchsorted(found.open_time, span.end))
            end = min(len(found.open_time), max(first, inside) + left)
            if end == first:
                return
            counting.count(found.open_time[first:end])
            for build in builds:
                header = _header(series, build, revision)
                await self._publish(header, found.part(0, end), first)
            left -= end - max(first, inside)
            if len(found.open_time) - first < most:
                return
            start = int(found.open_time[end - 1]) + 1

    async def _publish(self, header: FeatureBatchHeaderV1, candles: Columns, first: int) -> None:
        """Features of the candles from `first` on; those before it only lead up to them."""
        grid = Timeframe.parse(header.timeframe)
        definition = self._sets[header.feature_set]
        rows = (await asyncio.to_thread(compute, definition, grid, candles)).slice(first)
        parts = (rows.slice(at, _PART_ROWS) for at in range(0, rows.num_rows, _PART_ROWS))
        await self._publisher.publish(*(FeatureBatchV1(header, part) for part in parts))

    async def _answer(
        self, series: Series, build: Build, answers: tuple[ChunkFeatures, ...]
    ) -> None:
        """Say which chunks are through, behind everything that was computed for them."""
        header = _header(series, build, self._revision(series), answers)
        nothing = pa.RecordBatch.from_pylist([], schema=feature_schema([]))
        await self._publisher.publish(FeatureBatchV1(header, nothing))

    def _knows(self, series: Series, build: Build) -> bool:
        if build.feature_set in self._sets:
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


@dataclass(frozen=True, slots=True)
class _Counting:
    """Counts candles for the chunks that asked."""

    asked: Sequence[Asked]
    counts: list[int]

    def count(self, open_time: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> None:
        for number, asked in enumerate(self.asked):
            low, high = np.searchsorted(open_time, asked.span).tolist()
            self.counts[number] += high - low


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


def _positions(received: Sequence[Received], topic_prefix: str) -> dict[tuple[str, int], int]:
    """What the sink must have stored: the next position behind each record."""
    found: dict[tuple[str, int], int] = {}
    for item in received:
        partition = item.record.partition
        at = (partition.topic.removeprefix(topic_prefix), partition.number)
        found[at] = max(found.get(at, 0), item.record.offset + 1)
    return found
