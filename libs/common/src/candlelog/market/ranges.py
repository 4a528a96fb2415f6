"""Half-open time ranges and their algebra (`portion` does the maths)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import portion

from candlelog.errors import Invalid


@dataclass(frozen=True, slots=True, order=True)
class TimeRange:
    """`[start, end)`, aware UTC, never empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise Invalid(f"start {self.start.isoformat()} is not before {self.end.isoformat()}")


def overlap(one: TimeRange, other: TimeRange) -> TimeRange | None:
    """What is in both, None where that is nothing."""
    start, end = max(one.start, other.start), min(one.end, other.end)
    return TimeRange(start, end) if start < end else None


def merge(ranges: Iterable[TimeRange]) -> list[TimeRange]:
    """The same instants as the fewest ranges, in order."""
    return _ranges(_interval(ranges))


def subtract(whole: TimeRange, covered: Iterable[TimeRange]) -> list[TimeRange]:
    """What of `whole` is in none of `covered`, as the fewest ranges, in order."""
    return _ranges(portion.closedopen(whole.start, whole.end) - _interval(covered))


def _interval(ranges: Iterable[TimeRange]) -> portion.Interval:
    return portion.Interval(*(portion.closedopen(r.start, r.end) for r in ranges))


def _ranges(interval: portion.Interval) -> list[TimeRange]:
    bounds = ((cast("datetime", part.lower), cast("datetime", part.upper)) for part in interval)
    return [] if interval.empty else [TimeRange(start, end) for start, end in bounds]
