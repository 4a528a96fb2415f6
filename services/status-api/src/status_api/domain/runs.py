"""Coverage as runs: what was asked, merged where it touches and says the same; slots beside it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from itertools import pairwise
from operator import attrgetter

from candlelog.market.slots import SlotRun


@dataclass(frozen=True, slots=True)
class Asked:
    """A range `[start, end)` that was asked for, and how the venue answered when."""

    start: datetime
    end: datetime
    source: str
    outcome: str
    observed_at: datetime


def runs(asked: Sequence[Asked]) -> list[Asked]:
    """Runs in time order, apart from each other or saying different things.

    Where ranges overlap the newest answer counts; a run's `observed_at` is its oldest one.
    """
    merged: list[Asked] = []
    for piece in _pieces(asked):
        last = merged[-1] if merged else None
        if last is not None and last.end == piece.start and _says(last) == _says(piece):
            oldest = min(last.observed_at, piece.observed_at)
            merged[-1] = Asked(last.start, piece.end, last.source, last.outcome, oldest)
        else:
            merged.append(piece)
    return merged


@dataclass(frozen=True, slots=True)
class Covered:
    """A run of slots with what was asked of it: source and outcome where it was in one way alone,
    and when the part was read that was read longest ago. All None where nothing was.
    """

    run: SlotRun
    source: str | None
    outcome: str | None
    observed_at: datetime | None


def covered(slots: Sequence[SlotRun], asked: Sequence[Asked]) -> list[Covered]:
    """The runs of slots with the runs of what was asked; both in time order."""
    found: list[Covered] = []
    for run in slots:
        first = bisect_right(asked, run.start, key=attrgetter("end"))
        inside = asked[first : bisect_left(asked, run.end, key=attrgetter("start"))]
        oldest = min((each.observed_at for each in inside), default=None)
        found.append(
            Covered(
                run,
                source=_one({each.source for each in inside}),
                outcome=_one({each.outcome for each in inside}),
                observed_at=oldest,
            )
        )
    return found


def _pieces(asked: Sequence[Asked]) -> Iterable[Asked]:
    """Between two neighbouring bounds, the newest range that holds them: O(n log n)."""
    by_start = sorted(asked, key=lambda each: each.start)
    bounds = sorted({each.start for each in asked} | {each.end for each in asked})
    open_ranges: list[tuple[float, int, Asked]] = []
    taken = 0
    for start, end in pairwise(bounds):
        while taken < len(by_start) and by_start[taken].start <= start:
            each = by_start[taken]
            heappush(open_ranges, (-each.observed_at.timestamp(), taken, each))
            taken += 1
        while open_ranges and open_ranges[0][2].end <= start:
            heappop(open_ranges)
        if open_ranges:
            newest = open_ranges[0][2]
            yield Asked(start, end, newest.source, newest.outcome, newest.observed_at)


def _one(said: Set[str]) -> str | None:
    return next(iter(said)) if len(said) == 1 else None


def _says(asked: Asked) -> tuple[str, str]:
    return asked.source, asked.outcome
