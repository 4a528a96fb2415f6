"""Chunks of a task that go one route, as numbered ranges."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.fetch import ArchiveFileRef
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from coordinator.domain.routes import Route


@dataclass(frozen=True, slots=True)
class Work:
    """A range, the number of chunks it is cut into, the sets their candles are computed for, and
    the file that they are read from."""

    part: TimeRange
    chunks: int
    feature_sets: tuple[FeatureSetRef, ...]
    build: int = 0
    file: ArchiveFileRef | None = None


@dataclass(frozen=True, slots=True)
class PlannedRange:
    """Slots `[start, end)` of a task, asked by the chunks `[first_chunk, end_chunk)`."""

    start: datetime
    end: datetime
    first_chunk: int
    end_chunk: int
    feature_sets: tuple[FeatureSetRef, ...] = ()
    build: int = 0
    file: ArchiveFileRef | None = None


@dataclass(frozen=True, slots=True)
class PlannedQueue:
    """Ranges of a task that go one route, in chunks of `piece_slots` slots.

    The last chunk of a range takes what is left of it, be that more or less.
    """

    route: Route
    piece_slots: int
    ranges: tuple[PlannedRange, ...]

    @property
    def chunks_total(self) -> int:
        """Chunks of all its ranges."""
        return self.ranges[-1].end_chunk if self.ranges else 0


def line_up(route: Route, piece_slots: int, works: Iterable[Work]) -> PlannedQueue:
    """Number the chunks of all works, one after the other."""
    ranges: list[PlannedRange] = []
    chunks = 0
    for work in works:
        first, chunks = chunks, chunks + work.chunks
        times = (work.part.start, work.part.end)
        ranges.append(PlannedRange(*times, first, chunks, work.feature_sets, work.build, work.file))
    return PlannedQueue(route, piece_slots, tuple(ranges))


def chunks_of(frame: Timeframe, part: TimeRange, piece_slots: int) -> int:
    """How many chunks of so many slots hold the range."""
    return -(-frame.count(part.start, part.end) // piece_slots)
