"""Which files of its archive there are of a series."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final, Self

from candlelog.archives.checksums import content_sum
from candlelog.archives.opening import open_archive
from candlelog.archives.ports import Archive
from candlelog.clock import Clock
from candlelog.errors import Invalid
from candlelog.events.fetch import ArchiveFileRef
from candlelog.market.archive_names import months
from candlelog.market.archives import ArchiveFile
from candlelog.market.profile import ArchiveProfile, ExchangeProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain import archived
from coordinator.domain.archived import Archived
from coordinator.domain.routing import HeldFile

_END_BYTES: Final = 64 * 1024
"""What is looked at of the begin and of the end of a file, to see from when it is."""

Windows = Mapping[Series, TimeRange]


class Listings:
    """Looks through archives, which are known by their names."""

    def __init__(self, archives: Mapping[str, Archive], clock: Clock) -> None:
        self._archives = archives
        self._clock = clock
        self._spans: dict[tuple[str, str, str], TimeRange | None] = {}
        self._sums: dict[tuple[str, str, str], str | None] = {}

    @classmethod
    def at(cls, roots: Mapping[str, str], clock: Clock) -> Self:
        """Of the archives that lie there, by name."""
        return cls({name: open_archive(root) for name, root in roots.items()}, clock)

    @property
    def names(self) -> Collection[str]:
        """The archives that there are."""
        return self._archives.keys()

    async def look(self, venue: ExchangeProfile, windows: Windows) -> Archived | None:
        """The files of the series that may hold candles of their windows; None where the exchange
        has no archive here.

        Raises `Unavailable`, and `Invalid` where the archive cannot be looked through.
        """
        if venue.archive is None or venue.archive.name not in self._archives:
            return None
        archive = self._archives[venue.archive.name]
        if venue.archive.form == "klines":
            return Archived(await _by_names(archive, venue.archive, windows))
        return await self._by_contents(archive, venue.archive, list(windows))

    async def sums(self, archive: str, files: Sequence[ArchiveFileRef]) -> Mapping[str, str | None]:
        """The SHA-256 of files of that archive, by path; None where it cannot be told. Each version
        is looked into once. Raises `Unavailable`."""
        for file in files:
            key = (archive, file.path, file.version)
            if key not in self._sums:
                self._sums[key] = await content_sum(self._archives[archive], file.path)
        return {file.path: self._sums[archive, file.path, file.version] for file in files}

    async def _by_contents(
        self, archive: Archive, profile: ArchiveProfile, series: Sequence[Series]
    ) -> Archived:
        """Names do not say from when these files are: each is looked into, once."""
        listed = await archive.index()
        damaged = list(archived.damaged(listed))
        files: dict[Series, Sequence[HeldFile]] = {}
        for each, paths in archived.of_market(profile, series, listed).items():
            held: list[HeldFile] = []
            for path in paths:
                file = ArchiveFileRef(path=path, version=listed[path])
                try:
                    part = await self._span(archive, profile.name, file, each.timeframe)
                except Invalid:
                    damaged.append(path)
                    continue
                if part is not None:
                    held.append(HeldFile(file, part))
            files[each] = archived.by_span(held)
        return Archived(files, tuple(damaged))

    async def _span(
        self, archive: Archive, name: str, file: ArchiveFileRef, timeframe: str
    ) -> TimeRange | None:
        key = (name, file.path, file.version)
        if key not in self._spans:
            head, tail = await _ends(archive, file.path)
            frame = Timeframe.parse(timeframe)
            self._spans[key] = archived.span(head, tail, frame, self._clock.now())
        return self._spans[key]


async def _by_names(
    archive: Archive, profile: ArchiveProfile, windows: Windows
) -> dict[Series, Sequence[HeldFile]]:
    """Files of months, and of days in those months of which there is none."""
    of_months = await asyncio.to_thread(_each, windows, partial(months, profile))
    found = await _versions(archive, of_months)
    days = partial(archived.days, profile, found=found, is_remote=archive.is_remote)
    of_days = await asyncio.to_thread(_each, windows, days)
    found = {**found, **await _versions(archive, of_days)}

    def held() -> dict[Series, Sequence[HeldFile]]:
        return {
            each: archived.held_files(
                (*of_months[each], *of_days[each]), found, Timeframe.parse(each.timeframe)
            )
            for each in windows
        }

    return await asyncio.to_thread(held)


def _each(
    windows: Windows, files: Callable[[Series, TimeRange], list[ArchiveFile]]
) -> dict[Series, list[ArchiveFile]]:
    return {each: files(each, window) for each, window in windows.items()}


async def _versions(
    archive: Archive, files: Mapping[Series, Sequence[ArchiveFile]]
) -> Mapping[str, str]:
    return await archive.versions([file.path for some in files.values() for file in some])


async def _ends(archive: Archive, path: str) -> tuple[bytes, bytes]:
    """The begin and the end of a file."""
    head = tail = b""
    async with archive.open(path) as blocks:
        async for block in blocks:
            head = head or block[:_END_BYTES]
            tail = (tail + block)[-_END_BYTES:]
    return head, tail
