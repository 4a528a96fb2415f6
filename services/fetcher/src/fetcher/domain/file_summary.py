"""What is to be said of a file that was read."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, from_milliseconds


@dataclass(frozen=True, slots=True)
class Summary:
    """`first` and `last` are open times of rows; of `missing` slots that were asked for the file
    holds no row."""

    sha256: str
    size: int
    rows: int
    quarantined: int
    first: datetime | None
    last: datetime | None
    missing: int


class Tally:
    """Adds up the parts of a file."""

    def __init__(self, timeframe: Timeframe) -> None:
        self._timeframe = timeframe
        self._rows = self._slots = 0
        self._first: datetime | None = None
        self._last: datetime | None = None

    def add(self, rows: pa.RecordBatch, window: TimeRange) -> None:
        """The rows of the next part, which is all that there is of `window`."""
        self._rows += len(rows)
        self._slots += self._timeframe.count(window.start, window.end)
        if len(rows):
            first, last = (rows.column("open_time")[place].value for place in (0, -1))
            self._first = self._first or from_milliseconds(first)
            self._last = from_milliseconds(last)

    def summary(self, *, sha256: str, size: int, quarantined: int) -> Summary:
        """What was added up, of the file with this content."""
        return Summary(
            sha256=sha256,
            size=size,
            rows=self._rows,
            quarantined=quarantined,
            first=self._first,
            last=self._last,
            missing=self._slots - self._rows,
        )
