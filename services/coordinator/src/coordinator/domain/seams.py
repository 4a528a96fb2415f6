"""Where what a file holds meets what the venue is asked for: some slots go both ways.

So the two are compared where they join: what differs is kept as a restatement, and reported.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from candlelog.market.ranges import TimeRange, merge
from candlelog.market.timeframe import Timeframe
from coordinator.domain.routing import FilePart, HeldFile, Rules, Ways

SEAM_SLOTS: Final = 24
"""Of a file, the slots next to what the venue is asked for: a part of one page."""


def joined(ways: Ways, files: Sequence[HeldFile], rules: Rules) -> Ways:
    """The ways, each file and each range of the venue that touch grown into one another.

    A venue that answers of all times is asked for the last slots of the file, or the first. One
    that answers its newest candles alone cannot be: there the file is read that much further, and
    what leaves the venue's reach while the job waits is had from it.
    """
    if rules.oldest is None:
        return replace(ways, rest=tuple(_grown(ways.rest, ways.files, rules.frame)))
    return replace(ways, files=tuple(_read_on(ways, files, rules.frame)))


def twice(ways: Ways, frame: Timeframe) -> int:
    """How many slots go both ways."""
    both = [*ways.rest, *(each.part for each in ways.files)]
    return _slots(both, frame) - _slots(merge(both), frame)


def _grown(
    rest: Sequence[TimeRange], files: Sequence[FilePart], frame: Timeframe
) -> list[TimeRange]:
    before = {each.part.end: each.part for each in files}
    behind = {each.part.start: each.part for each in files}
    grown: list[TimeRange] = []
    for part in rest:
        start, end = part.start, part.end
        if start in before:
            start = max(frame.advance(start, -SEAM_SLOTS), before[start].start)
        if end in behind:
            end = min(frame.advance(end, SEAM_SLOTS), behind[end].end)
        grown.append(TimeRange(start, end))
    return merge(grown)


def _read_on(ways: Ways, files: Sequence[HeldFile], frame: Timeframe) -> list[FilePart]:
    held = {file.ref: file.part for file in files}
    asked = {part.start: part for part in ways.rest}
    found: list[FilePart] = []
    for file, part in ways.files:
        end = part.end
        if end in asked:
            most = frame.advance(end, SEAM_SLOTS)
            end = min(most, max(end, held[file].end), asked[end].end)
        found.append(FilePart(file, TimeRange(part.start, end)))
    return found


def _slots(ranges: Sequence[TimeRange], frame: Timeframe) -> int:
    return sum(frame.count(part.start, part.end) for part in ranges)
