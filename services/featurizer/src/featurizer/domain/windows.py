"""Which rows must be computed again when candles changed, and from which rows.

A value is a function of the last W rows that end with its own. So a row that appears or changes
touches its own value and those of the W − 1 rows after it, and each value needs the W − 1 rows
before its own, or all there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candlelog.market.ranges import TimeRange, merge
from candlelog.market.timeframe import Timeframe, milliseconds

W: Final = 2400
"""How many rows a value is computed from, at most."""


@dataclass(frozen=True, slots=True)
class Window:
    """Rows `[start, end)` are to be written; rows `[read_from, end)` are what they follow from.

    All three count the open times that the window was made for.
    """

    read_from: int
    start: int
    end: int

    @property
    def skipped(self) -> int:
        """How many of the rows that are read only lead up to those that are written."""
        return self.start - self.read_from


def windows(changed: Iterable[TimeRange], open_times: NDArray[np.int64]) -> list[Window]:
    """The windows of a series whose candles changed within these ranges: in order, disjoint.

    `open_times`: shape (rows,), milliseconds since the epoch, increasing, as they are stored now:
    at least those in the ranges and, where there are as many, the W before and the W after each.
    A range without a row touches nothing, since candles are never taken away.
    """
    written: list[tuple[int, int]] = []
    for each in merge(changed):
        bounds = (milliseconds(each.start), milliseconds(each.end))
        start, end = np.searchsorted(open_times, bounds).tolist()
        if start == end:
            continue
        end = min(end + W - 1, len(open_times))
        if written and start <= written[-1][1]:
            start = written.pop()[0]
        written.append((start, end))
    return [Window(max(0, start - W + 1), start, end) for start, end in written]


def together(
    spans: Sequence[TimeRange], timeframe: Timeframe, most: int
) -> list[Sequence[TimeRange]]:
    """Spans of a series, in order and disjoint, in groups that are read at once.

    What lies between two spans is read anyway where it is no more than the W after the one and the
    W before the other. A group of several reaches over `most` slots at most.
    """
    groups: list[list[TimeRange]] = []
    for span in spans:
        group = groups[-1] if groups else []
        if (
            group
            and timeframe.count(group[-1].end, span.start) <= 2 * W
            and timeframe.count(group[0].start, span.end) <= most
        ):
            group.append(span)
        else:
            groups.append([span])
    return list(groups)
