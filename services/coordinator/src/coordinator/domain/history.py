"""Features of what is stored already: which ranges are to be computed, in chunks of their own."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.fields import EARLIEST, LATEST
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from coordinator.domain.queues import PlannedQueue, Work, chunks_of, line_up
from coordinator.domain.routes import Route

PIECE_SLOTS: Final = 20_000
"""Rows of one chunk: few enough to be computed in a second, and many beside the rows before and
after them that are read as well."""

_END: Final = LATEST - timedelta(days=1)
"""No candle is younger, and it still is a time that an event can hold."""


def compute_queue(
    frame: Timeframe,
    wanted: Mapping[FeatureSetRef, bool],
    *,
    window: tuple[datetime, datetime],
    stored: TimeRange | None,
    pending: Sequence[TimeRange],
) -> PlannedQueue:
    """What is to be computed for each set, given whether the series has it completely.

    Where it has, what is stored has its features, but for what was stored just now: of that the
    job waits for what lies in its `window`. Where it has not, all of time is computed.
    """
    just_now = [part for part in pending if part.start < window[1] and part.end > window[0]]
    works: list[Work] = []
    for feature_set, complete in wanted.items():
        parts = _pieces(frame, just_now) if complete else cut(frame, all_of_time(frame), stored)
        works += [Work(part, chunks, (feature_set,)) for part, chunks in parts]
    return line_up(Route.FEATURES, PIECE_SLOTS, works)


def _pieces(frame: Timeframe, parts: Sequence[TimeRange]) -> Iterator[tuple[TimeRange, int]]:
    return ((part, chunks_of(frame, part, PIECE_SLOTS)) for part in parts)


def all_of_time(frame: Timeframe) -> TimeRange:
    """Every open time that a candle may have."""
    return TimeRange(frame.ceil(EARLIEST), frame.floor(_END))


def cut(
    frame: Timeframe, whole: TimeRange, stored: TimeRange | None
) -> list[tuple[TimeRange, int]]:
    """Ranges that leave nothing of `whole` out, cut finely only where candles are `stored`.

    Whatever is stored elsewhere meanwhile falls into the first range or into the last chunk.
    """
    if stored is None:
        return [(whole, 1)]
    first = max(whole.start, frame.floor(stored.start))
    dense = TimeRange(first, min(whole.end, stored.end))
    body = (TimeRange(first, whole.end), chunks_of(frame, dense, PIECE_SLOTS))
    return [(TimeRange(whole.start, first), 1), body] if whole.start < first else [body]
