"""Which way each slot that is asked for goes: to the venue, to a file of its archive, or none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from candlelog.events.fetch import ArchiveFileRef
from candlelog.market.ranges import TimeRange, merge, overlap
from candlelog.market.timeframe import Timeframe

Purpose = Literal["auto", "archive", "repair"]
"""Files and the venue, each for what it is better at; files alone; or the venue, and files only for
what is out of its reach."""


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file that is there, and the slots of its series that it may hold, on the grid.

    `again`: it is not what was read of these slots, or refused, before: they are asked for whatever
    is known of them. `refused`: it was, as it is now, and is tried again where there is no other
    way. `read` is what was asked of it, as it is now: a slot of these that is asked for again it
    lacks.
    """

    ref: ArchiveFileRef
    part: TimeRange
    again: tuple[TimeRange, ...] = ()
    refused: bool = False
    read: TimeRange | None = None


class FilePart(NamedTuple):
    """Slots that are read from a file."""

    file: ArchiveFileRef
    part: TimeRange


@dataclass(frozen=True, slots=True)
class Ways:
    """What goes which way, in order of time; no slot goes two ways. Nobody is asked for what is
    `left`: no file that is there holds it."""

    rest: tuple[TimeRange, ...]
    files: tuple[FilePart, ...]
    left: tuple[TimeRange, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides. `oldest` is the oldest slot within reach of the venue, None where that answers
    of all times."""

    purpose: Purpose
    frame: Timeframe
    page_size: int
    oldest: datetime | None

    def told(
        self, file: HeldFile, parts: list[TimeRange]
    ) -> tuple[list[TimeRange], list[TimeRange]]:
        """What of the slots that are asked for, which a file may hold, was asked of it before, and
        what was not. Where the venue has a limited reach, there is nobody else to ask."""
        if file.read is None or self.oldest is not None:
            return [], parts
        return _split(parts, file.read)

    def for_file(self, file: HeldFile, part: TimeRange) -> tuple[list[TimeRange], list[TimeRange]]:
        """What of the slots that a file may hold is read there, and what is not."""
        if self.purpose == "archive" or (file.again and self.purpose == "auto"):
            return [part], []
        if self.oldest is not None:
            within, beyond = cut_at(self.oldest, [part])
            return beyond, within
        if self.purpose == "repair":
            return [], [part]
        is_whole = part == file.part
        pays = is_whole or self.frame.count(part.start, part.end) >= self.page_size
        return ([part], []) if pays else ([], [part])

    def for_venue(self, ranges: list[TimeRange]) -> tuple[list[TimeRange], list[TimeRange]]:
        """What of the ranges that no file was chosen for the venue is asked for, and what not."""
        if self.purpose == "archive":
            return [], ranges
        if self.purpose == "repair" or self.oldest is None:
            return ranges, []
        return cut_at(self.oldest, ranges)


def route(asked: Iterable[TimeRange], files: Sequence[HeldFile], rules: Rules) -> Ways:
    """Where what is asked for is fetched: ranges on the grid, apart, in order.

    Of two files that hold a slot the one named first is read, unless the other one is read again.
    """
    left, read = list(asked), list[FilePart]()
    for file in sorted(files, key=lambda each: not each.again):
        if file.refused:
            continue
        held, left = _split(left, file.part)
        told, untold = rules.told(file, held)
        left += told
        for part in untold:
            chosen, others = rules.for_file(file, part)
            read += [FilePart(file.ref, each) for each in chosen]
            left += others
    rest, left = rules.for_venue(merge(left))
    for file in files:
        if file.refused:
            held, left = _split(left, file.part)
            read += [FilePart(file.ref, part) for part in held]
    read.sort(key=lambda each: each.part)
    return Ways(tuple(rest), tuple(read), tuple(merge(left)))


def cut_at(
    oldest: datetime, ranges: Iterable[TimeRange]
) -> tuple[list[TimeRange], list[TimeRange]]:
    """The ranges from `oldest` on, and those before."""
    since, before = list[TimeRange](), list[TimeRange]()
    for each in ranges:
        if each.end > oldest:
            since.append(TimeRange(max(each.start, oldest), each.end))
        if each.start < oldest:
            before.append(TimeRange(each.start, min(each.end, oldest)))
    return since, before


def _split(ranges: Iterable[TimeRange], part: TimeRange) -> tuple[list[TimeRange], list[TimeRange]]:
    """What of the ranges is in `part`, and what is not."""
    within, others = list[TimeRange](), list[TimeRange]()
    for each in ranges:
        both = overlap(each, part)
        if both is None:
            others.append(each)
            continue
        within.append(both)
        if each.start < part.start:
            others.append(TimeRange(each.start, part.start))
        if part.end < each.end:
            others.append(TimeRange(part.end, each.end))
    return within, others
