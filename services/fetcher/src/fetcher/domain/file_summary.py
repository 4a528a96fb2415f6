"""What is to be said of a file that was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from candlelog.events.candles import CANDLE_SCHEMA
from candlelog.market.ranges import TimeRange, overlap
from candlelog.market.timeframe import Timeframe, from_milliseconds, milliseconds

_VALUES: Final = [name for name in CANDLE_SCHEMA.names if name != "open_time"]


@dataclass(frozen=True, slots=True)
class Summary:
    """As `FileReadV1` tells it: `first` and `last` are open times of rows; of `missing` slots that
    were asked for the file holds no row; of `differing` other files say something else."""

    sha256: str
    size: int
    rows: int
    quarantined: int
    first: datetime | None
    last: datetime | None
    missing: int
    differing: int


@dataclass(frozen=True, slots=True)
class Said:
    """All rows (`CANDLE_SCHEMA`, in order of time) that another file holds of `window`."""

    window: TimeRange
    rows: pa.Table


class Tally:
    """Adds up the parts of a file, and compares them with what other files have `said`."""

    def __init__(self, timeframe: Timeframe, said: Sequence[Said] = ()) -> None:
        self._timeframe = timeframe
        self._said = said
        self._rows = self._slots = self._differing = 0
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
        table = pa.Table.from_batches([rows])
        for said in self._said:
            both = overlap(window, said.window)
            if both is not None:
                self._differing += _differing(_within(table, both), _within(said.rows, both))

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
            differing=self._differing,
        )


def _within(rows: pa.Table, window: TimeRange) -> pa.Table:
    times = _times(rows)
    start, end = np.searchsorted(times, [milliseconds(window.start), milliseconds(window.end)])
    return rows.slice(start, end - start)


def _differing(one: pa.Table, other: pa.Table) -> int:
    """Slots that one of them alone holds, or with other values."""
    if one.equals(other):
        return 0
    mine, its = _times(one), _times(other)
    _, of_mine, of_its = np.intersect1d(mine, its, assume_unique=True, return_indices=True)
    same = np.ones(len(of_mine), dtype=bool)
    for name in _VALUES:
        its_value, value = other[name].to_numpy()[of_its], one[name].to_numpy()[of_mine]
        same &= (value == its_value) | (np.isnan(value) & np.isnan(its_value))
    return len(mine) + len(its) - len(of_mine) - int(same.sum())


def _times(rows: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return rows["open_time"].cast(pa.int64()).to_numpy()
