"""Files of a series in an archive: what they are called, and which slots they may hold."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from candlelog.archives.entries import is_zip, split_entry
from candlelog.events.fetch import ArchiveFileRef
from candlelog.market.archive_names import days_of, market_name, months
from candlelog.market.archives import ArchiveFile, kraken_file
from candlelog.market.profile import ArchiveProfile
from candlelog.market.ranges import TimeRange, overlap, subtract
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.ledger import FileStatus, Noted
from coordinator.domain.routing import HeldFile

_DAY: Final = timedelta(days=1)
_FIRST_CANDLES: Final = datetime(2009, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(rb"^(?:\xef\xbb\xbf)?(\d{10})(?:,[\d.eE+-]+){6,7},?\r?$", re.MULTILINE)
"""The time of a line that is a candle, as far as one sees."""
_REMOTE_MONTHS: Final = 2


@dataclass(frozen=True, slots=True)
class Archived:
    """The files that there are of some series, those to be preferred first. `damaged` are zips of
    which nobody can tell what is in them."""

    files: Mapping[Series, Sequence[HeldFile]]
    damaged: tuple[str, ...] = ()


def days(
    archive: ArchiveProfile,
    series: Series,
    window: TimeRange,
    *,
    found: Mapping[str, str],
    is_remote: bool,
) -> list[ArchiveFile]:
    """The files of days in those months of the window of which none was found.

    Where each costs a request, they are looked for only from the first month on that was found, or
    else in the last two: before it nothing was traded.
    """
    of_months = months(archive, series, window)
    if is_remote:
        there = [place for place, file in enumerate(of_months) if file.path in found]
        of_months = of_months[there[0] if there else -_REMOTE_MONTHS :]
    return [
        day
        for month in of_months
        if month.path not in found
        for day in days_of(archive, series, month, window)
    ]


def held_files(
    files: Iterable[ArchiveFile], found: Mapping[str, str], frame: Timeframe
) -> list[HeldFile]:
    """Those of the files of months and days that were found."""
    return [
        HeldFile(
            ArchiveFileRef(path=file.path, version=found[file.path]),
            TimeRange(frame.ceil(file.period.start), frame.ceil(file.period.end)),
        )
        for file in files
        if file.path in found and file.period is not None
    ]


def of_market(
    archive: ArchiveProfile, series: Iterable[Series], listed: Iterable[str]
) -> dict[Series, list[str]]:
    """Which of the listed OHLCVT files are of which of the series."""
    wanted = {
        (market_name(archive, each.symbol), each.timeframe): each for each in dict.fromkeys(series)
    }
    found: dict[Series, list[str]] = {each: [] for each in wanted.values()}
    for path in listed:
        file = kraken_file(*split_entry(path))
        of = file and wanted.get((file.market, file.timeframe))
        if of:
            found[of].append(path)
    return found


def damaged(listed: Iterable[str]) -> tuple[str, ...]:
    """The zips that were listed themselves, and not what is in them."""
    return tuple(sorted(path for path in listed if is_zip(path)))


def span(head: bytes, tail: bytes, frame: Timeframe, now: datetime) -> TimeRange | None:
    """The slots from the first candle to the last of an OHLCVT file that begins and ends so; None
    where no line there begins with the time of a candle."""
    times = [
        time
        for text in (head, tail)
        for match in _TIME.finditer(text)
        if _FIRST_CANDLES <= (time := datetime.fromtimestamp(int(match[1]), UTC)) < now
    ]
    if not times:
        return None
    return TimeRange(frame.floor(min(times)), frame.advance(frame.floor(max(times)), 1))


def by_span(files: Iterable[HeldFile]) -> list[HeldFile]:
    """Files whose names do not say from when they are: those first that begin first, and of these
    the longest, which leaves the least to others.

    Each holds what it begins and ends with, and what is before the begin of another less than a day
    behind it: nothing was traded then. A file that lacks between them would be of a quarter.
    """
    latest_first = sorted(files, key=lambda file: file.part.end, reverse=True)
    starts = sorted(file.part.start for file in latest_first)
    return [
        _up_to_next(file, starts) for file in sorted(latest_first, key=lambda file: file.part.start)
    ]


def _up_to_next(file: HeldFile, starts: Sequence[datetime]) -> HeldFile:
    place = bisect_left(starts, file.part.end)
    if place == len(starts) or starts[place] - file.part.end >= _DAY:
        return file
    return replace(file, part=TimeRange(file.part.start, starts[place]))


def changed(archived: Archived, known: Mapping[str, Noted]) -> list[ArchiveFileRef]:
    """The files that were read before, of another version: their content may be the same."""
    return [
        file.ref
        for held in archived.files.values()
        for file in held
        if (noted := known.get(file.ref.path)) is not None
        and noted.status is FileStatus.READ
        and noted.version != file.ref.version
    ]


def judged(
    archived: Archived, known: Mapping[str, Noted], sums: Mapping[str, str | None]
) -> Archived:
    """The files, given what is known of those that were read or refused before, by path, and the
    SHA-256 of those that have `changed`."""
    files = {
        series: [_judged(file, known.get(file.ref.path), sums.get(file.ref.path)) for file in held]
        for series, held in archived.files.items()
    }
    return replace(archived, files=files)


def _judged(file: HeldFile, known: Noted | None, sha256: str | None) -> HeldFile:
    if known is None or known.status is FileStatus.SUPERSEDED:
        return file
    if known.version != file.ref.version and (sha256 is None or sha256 != known.sha256):
        return replace(file, again=(file.part,))
    stale = known.stale and overlap(known.stale, file.part)
    again = subtract(stale, [known.read] if known.read else []) if stale else []
    return replace(
        file, again=tuple(again), refused=known.status is FileStatus.REFUSED, read=known.read
    )
