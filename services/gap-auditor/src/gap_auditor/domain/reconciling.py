"""What an audit makes of the gaps of a series.

A gap is named by its start. So one that grows or shrinks at its end is the same gap. One that loses
its first slots ends, filled, where the next unexplained slot is, and what is left of it is a gap of
its own, in the state the first one had. One that turns out to begin earlier is merged into that.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Final
from uuid import UUID

from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import UNEXPLAINED, SlotRun
from gap_auditor.domain.gaps import Gap, GapState, given_up

_START: Final = attrgetter("start")


@dataclass(frozen=True, slots=True)
class Audit:
    """All slots of `window`, as runs that leave nothing out.

    `ended` are the repairs that have ended by now: what they were to fill and have not is given up.
    """

    series: Series
    window: TimeRange
    runs: Sequence[SlotRun]
    ended: Set[UUID]
    at: datetime


def reconcile(known: Sequence[Gap], audit: Audit) -> list[Gap]:
    """The gaps that are not as they were, as they are now.

    `known` are the open gaps of the series that overlap or touch the window, in order of time.
    """
    missing = _missing(known, audit)
    now = [_gap(known, stretch, audit) for stretch in missing]
    starts = {gap.start for gap in now}
    closed = [_closed(gap, missing) for gap in known if gap.start not in starts]
    before = set(known)
    return closed + [gap for gap in now if gap not in before]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Neighbouring slots that nothing explains, as far as audits have seen."""

    start: datetime
    end: datetime
    answered: bool


def _missing(known: Sequence[Gap], audit: Audit) -> list[_Stretch]:
    """What nothing explains in the window, and with it what of the gaps lies outside of it."""
    inside = (
        _Stretch(run.start, run.end, run.answered) for run in audit.runs if run.state in UNEXPLAINED
    )
    found = sorted([*inside, *_outside(known, audit.window)], key=_START)
    joined: list[_Stretch] = []
    for part in found:
        last = joined[-1] if joined else None
        if last is not None and last.end == part.start:
            joined[-1] = _Stretch(last.start, part.end, last.answered and part.answered)
        else:
            joined.append(part)
    return joined


def _outside(known: Iterable[Gap], window: TimeRange) -> Iterable[_Stretch]:
    for gap in known:
        if gap.start < window.start:
            yield _Stretch(gap.start, min(gap.end, window.start), answered=False)
        if gap.end > window.end:
            yield _Stretch(max(gap.start, window.end), gap.end, answered=False)


def _gap(known: Sequence[Gap], stretch: _Stretch, audit: Audit) -> Gap:
    """The gap that the stretch is: new, or what has become of the one its first slot was in."""
    number = bisect_right(known, stretch.start, key=_START)
    before = known[number - 1] if number else None
    if before is None or before.end <= stretch.start:
        return Gap(
            audit.series, stretch.start, stretch.end, GapState.DETECTED, None, detected_at=audit.at
        )
    after = replace(before, start=stretch.start, end=stretch.end)
    return given_up(after, answered=stretch.answered) if before.job_id in audit.ended else after


def _closed(gap: Gap, missing: Sequence[_Stretch]) -> Gap:
    """A gap whose first slot is explained, or belongs to a gap that begins earlier."""
    number = bisect_right(missing, gap.start, key=_START)
    if number and missing[number - 1].end > gap.start:
        return replace(gap, state=GapState.MERGED)
    rest = missing[number].start if number < len(missing) else gap.end
    return replace(gap, state=GapState.FILLED, end=min(rest, gap.end))
