"""Where minutes come from, and what lies over a source: outages and the present moment."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from candlelog_embedded.sandbox.columns import Columns
from candlelog_embedded.sandbox.folding import as_they_stand
from candlelog_embedded.sandbox.intervals import MINUTE


class Source(Protocol):
    """The minutes of one symbol; times in milliseconds since the epoch."""

    def following(self, time: int) -> int | None:
        """The first minute that opens at or after `time`, None where there is none."""
        ...

    def preceding(self, time: int) -> int | None:
        """The last minute that opens at or before `time`, None where there is none."""
        ...

    def minutes(self, start: int, end: int) -> Columns:
        """The minutes that open in `[start, end)`."""
        ...


class WithHoles:
    """A source without the minutes of some outages.

    `holes` are pairs `(start, end)`, half-open, sorted, apart from each other.
    """

    def __init__(self, source: Source, holes: Sequence[tuple[int, int]]) -> None:
        self._source = source
        self._holes = holes
        self._starts = [start for start, _ in holes]

    def following(self, time: int) -> int | None:
        """The first minute that opens at or after `time`, None where there is none."""
        found = self._source.following(time)
        while found is not None and (hole := self._hole(found)):
            found = self._source.following(hole[1])
        return found

    def preceding(self, time: int) -> int | None:
        """The last minute that opens at or before `time`, None where there is none."""
        found = self._source.preceding(time)
        while found is not None and (hole := self._hole(found)):
            found = self._source.preceding(hole[0] - 1)
        return found

    def minutes(self, start: int, end: int) -> Columns:
        """The minutes that open in `[start, end)`."""
        minutes = self._source.minutes(start, end)
        keep = np.ones(len(minutes), np.bool_)
        for first, stop in self._holes:
            if first < end and stop > start:
                keep &= (minutes.open_time < first) | (minutes.open_time >= stop)
        return minutes.pick(keep)

    def _hole(self, time: int) -> tuple[int, int] | None:
        at = bisect_right(self._starts, time) - 1
        return self._holes[at] if at >= 0 and time < self._holes[at][1] else None


class AsOf:
    """A source as it stands at a moment: nothing later, and minutes on their way until `late`
    milliseconds after their close."""

    def __init__(self, source: Source, now: int, late: int) -> None:
        self._source = source
        self._now = now
        self._late = late

    def following(self, time: int) -> int | None:
        """The first minute that opens at or after `time`, None where there is none."""
        found = self._source.following(time)
        return found if found is not None and found <= self._now else None

    def preceding(self, time: int) -> int | None:
        """The last minute that opens at or before `time`, None where there is none."""
        return self._source.preceding(min(time, self._now))

    def minutes(self, start: int, end: int) -> Columns:
        """The minutes that open in `[start, end)`."""
        stop = min(end, self._now // MINUTE * MINUTE + MINUTE)
        return as_they_stand(self._source.minutes(start, stop), self._now, self._late)
