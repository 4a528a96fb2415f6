"""The ledger of archive files: what was read of each, or why it was refused."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from candlelog.events.progress import FileReadV1
from candlelog.market.ranges import TimeRange, merge


class FileStatus(StrEnum):
    """What became of a file; one is superseded when another one was read that holds all of it."""

    READ = "read"
    REFUSED = "refused"
    SUPERSEDED = "superseded"


class Noted(NamedTuple):
    """What a plan has to know of a file."""

    version: str
    status: FileStatus
    sha256: str
    read: TimeRange | None = None
    """What was asked of it in this version."""
    stale: TimeRange | None = None
    """What was asked of versions before, and may be another one now, but for `read`."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file as it was read last. What is said of rows is of those that a chunk asked for; `read`
    is that range, joined with what was asked before of the same content, where the two touch;
    `stale` is what was asked of it before it was replaced; `message` is why it was refused, or
    which file superseded it."""

    archive: str
    path: str
    exchange: str
    symbol: str
    timeframe: str
    version: str
    sha256: str
    size: int
    rows: int
    quarantined: int
    first: datetime | None
    last: datetime | None
    read: TimeRange | None
    stale: TimeRange | None
    status: FileStatus
    message: str | None
    read_at: datetime


def fold(known: FileEntry | None, event: FileReadV1) -> FileEntry:
    """The entry after the event; the very same object when the event says nothing new.

    The newest reading counts. One of the same content changes only which version is known, and when
    that was read.
    """
    if known is not None and event.read_at <= known.read_at:
        return known
    entry = _entry(event)
    if known is not None and _is_same_content(known, entry):
        read = _joined(known.read, entry.read)
        return replace(known, version=entry.version, read=read, read_at=entry.read_at)
    if known is not None and entry.status is FileStatus.READ:
        return replace(entry, stale=_around(known.read, known.stale))
    return entry


def _around(one: TimeRange | None, other: TimeRange | None) -> TimeRange | None:
    """What both lie in."""
    if one is None or other is None:
        return one or other
    return TimeRange(min(one.start, other.start), max(one.end, other.end))


def _joined(known: TimeRange | None, new: TimeRange | None) -> TimeRange | None:
    """Both, where they overlap or touch; or else the new one."""
    if known is None or new is None:
        return new
    ranges = merge([known, new])
    return ranges[0] if len(ranges) == 1 else new


def _is_same_content(known: FileEntry, entry: FileEntry) -> bool:
    refused = {known.status is FileStatus.REFUSED, entry.status is FileStatus.REFUSED}
    return len(refused) == 1 and entry.sha256 != "" and known.sha256 == entry.sha256


def _entry(event: FileReadV1) -> FileEntry:
    asked = None
    if event.start is not None and event.end is not None:
        asked = TimeRange(event.start, event.end)
    return FileEntry(
        archive=event.archive,
        path=event.path,
        exchange=event.exchange,
        symbol=event.symbol,
        timeframe=event.timeframe,
        version=event.version,
        sha256=event.sha256,
        size=event.size,
        rows=event.rows,
        quarantined=event.quarantined,
        first=event.first,
        last=event.last,
        read=asked,
        stale=None,
        status=FileStatus.READ if event.refused is None else FileStatus.REFUSED,
        message=event.refused,
        read_at=event.read_at,
    )
