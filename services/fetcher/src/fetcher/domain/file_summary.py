"""What is to be said of a file that was read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import numpy as np
import pyarrow as pa

from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, from_milliseconds, milliseconds

_MOST_STRETCHES: Final = 10_000
_SHORTEST_MONTH: Final = timedelta(days=28)
_ONE_MS: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Summary:
    """`first` and `last` are open times of rows. `missing` are the stretches of slots of which the
    file holds no row, the first 10,000 of them at most; `missing_slots` counts all.
    """

    sha256: str
    size: int
    rows: int
    quarantined: int
    first: datetime | None
    last: datetime | None
    missing_slots: int
    missing: tuple[TimeRange, ...]


class Tally:
    """Adds up the parts of a file."""

    def __init__(self, timeframe: Timeframe) -> None:
        self._timeframe = timeframe
        self._rows = self._slots = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._missing: list[TimeRange] = []

    def add(self, rows: pa.RecordBatch, window: TimeRange) -> None:
        """The rows of the next part, which is all that there is of `window`."""
        self._rows += len(rows)
        self._slots += self._timeframe.count(window.start, window.end)
        if len(rows):
            first, last = (rows.column("open_time")[place].value for place in (0, -1))
            self._first = self._first or from_milliseconds(first)
            self._last = from_milliseconds(last)
        room = _MOST_STRETCHES - len(self._missing)
        self._missing += islice(missing(rows, window, self._timeframe), room)

    def summary(self, *, sha256: str, size: int, quarantined: int) -> Summary:
        """What was added up, of the file with this content."""
        return Summary(
            sha256=sha256,
            size=size,
            rows=self._rows,
            quarantined=quarantined,
            first=self._first,
            last=self._last,
            missing_slots=self._slots - self._rows,
            missing=tuple(self._missing),
        )


def missing(rows: pa.RecordBatch, window: TimeRange, timeframe: Timeframe) -> Iterator[TimeRange]:
    """The stretches of slots of a window of which there is no row, in order."""
    start, end = timeframe.ceil(window.start), timeframe.ceil(window.end)
    times = rows.column("open_time").cast(pa.int64()).to_numpy()
    before = milliseconds(timeframe.advance(start, -1))
    bounds = np.concatenate([[before], times, [milliseconds(end)]])
    step = (timeframe.duration or _SHORTEST_MONTH) // _ONE_MS
    for place in np.flatnonzero(np.diff(bounds) > step).tolist():
        begin, until = (from_milliseconds(int(bound)) for bound in bounds[place : place + 2])
        if (begin := timeframe.advance(begin, 1)) < until:
            yield TimeRange(begin, until)
