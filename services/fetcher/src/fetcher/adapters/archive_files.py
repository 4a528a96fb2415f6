"""Files of archives, opened for what a chunk asks of them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from candlelog.archives.checksums import checksum_file
from candlelog.archives.entries import split_entry
from candlelog.archives.opening import open_archive
from candlelog.errors import Invalid, Unavailable
from candlelog.events.fetch import ArchiveFileRef, FetchRequestedV1
from candlelog.market.archive_names import days_of
from candlelog.market.archives import binance_file
from candlelog.market.profile import ArchiveProfile, profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from fetcher.archives.days import said_by_days
from fetcher.archives.gate import FileRefused, opened
from fetcher.archives.lines import BINANCE, KRAKEN
from fetcher.archives.reading import Part, Reading
from fetcher.archives.sieve import Wanted
from fetcher.domain.failures import Away, Permanent
from fetcher.domain.file_summary import Said, Summary

_AT_ONCE: Final = 2
"""Files of a process: each takes a thread, and some tens of megabytes."""
_LOOK_AGAIN: Final = 30.0
"""Seconds after which an archive that is away is looked for again."""


class FileReading:
    """A file that is whole, part by part; every step is made in a thread."""

    def __init__(self, reading: Reading, name: str) -> None:
        self._reading = reading
        self._name = name

    async def parts(self) -> AsyncIterator[Part]:
        """The parts in order; see `Reading.parts`. Raises `Permanent` and `Away`.

        A file that holds no candle at all is refused: what is in it says nothing of the slots.
        """
        parts = self._reading.parts()
        while True:
            with _outages():
                part = await asyncio.to_thread(next, parts, None)
            if (part is None or part.is_last) and not self._reading.holds_candles:
                raise FileRefused(
                    "no_candles",
                    f"{self._name}: none of its lines is a candle; download it again",
                )
            if part is None:
                return
            yield part

    def summary(self) -> Summary:
        """What is to be said of the file, after its last part."""
        return self._reading.summary()


class ArchiveFiles:
    """The archives that this worker reaches: `roots` says where they lie, by name."""

    def __init__(self, roots: Mapping[str, str]) -> None:
        self._roots = roots
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def opened(
        self, chunk: FetchRequestedV1, file: ArchiveFileRef
    ) -> AsyncGenerator[FileReading]:
        """What a chunk asks of its file, once that is known to be whole.

        Raises `Permanent` for a file that is not to be read, `Away` while the archive is.
        """
        archived = self._archived(chunk.exchange)
        path, entry = split_entry(file.path)
        async with self._turns:
            with ExitStack() as stack, _outages():
                local, checksum = await _fetched(self._roots[archived.name], archived, path, stack)
                whole = opened(local, entry=entry, checksum=checksum)
                content = await asyncio.to_thread(stack.enter_context, whole)
                wanted = Wanted(
                    KRAKEN if archived.form == "ohlcvt" else BINANCE,
                    Timeframe.parse(chunk.timeframe),
                    TimeRange(chunk.start, chunk.end),
                    named=_named(archived, path),
                    is_dense=not profile(chunk.exchange).sparse,
                )
                said = await asyncio.to_thread(self._said_by_days, archived, chunk, file, wanted)
                reading = FileReading(Reading(content, wanted, said=said), path)
                held = stack.pop_all()
            with held:
                yield reading

    def _said_by_days(
        self, archived: ArchiveProfile, chunk: FetchRequestedV1, ref: ArchiveFileRef, wanted: Wanted
    ) -> list[Said]:
        """What the files of days say of what is wanted of a file of a month. Behind an address each
        costs requests, and none is asked for."""
        month = binance_file(ref.path) if archived.form == "klines" else None
        root = self._roots[archived.name]
        if month is None or "/monthly/" not in month.path or open_archive(root).is_remote:
            return []
        series = Series(chunk.exchange, chunk.symbol, chunk.timeframe)
        return said_by_days(Path(root), days_of(archived, series, month, wanted.window), wanted)

    def _archived(self, exchange: str) -> ArchiveProfile:
        found = profile(exchange).archive
        if found is None or found.name not in self._roots:
            raise Permanent(
                "no_archive",
                f"this fetcher knows no archive of {exchange}: give it the CANDLELOG_ARCHIVES "
                "that the coordinator has",
            )
        return found


async def _fetched(
    root: str, archived: ArchiveProfile, path: str, stack: ExitStack
) -> tuple[Path, bytes | None]:
    """Where the file lies on this machine, and what its checksum file holds, if there is one.

    From an HTTP address it is fetched whole first: its list of entries stands at its end.
    """
    archive = open_archive(root)
    checksum = await checksum_file(archive, path) if archived.form == "klines" else None
    if not archive.is_remote:
        if path not in await archive.versions([path]):  # raises `Unavailable` without the folder
            raise Invalid(f"{path} is not in the archive")
        return Path(root) / path, checksum
    folder = stack.enter_context(TemporaryDirectory(prefix="candlelog-"))
    local = Path(folder) / Path(path).name
    with local.open("wb") as copy:
        async with archive.open(path) as blocks:
            async for block in blocks:
                await asyncio.to_thread(copy.write, block)
    return local, checksum


def _named(archived: ArchiveProfile, path: str) -> TimeRange | None:
    """The period that the name of a file says."""
    file = binance_file(path) if archived.form == "klines" else None
    return None if file is None else file.period


@contextmanager
def _outages() -> Generator[None]:
    """What an archive and the disk raise, as what becomes of a chunk."""
    try:
        yield
    except (Invalid, FileNotFoundError) as error:
        raise Permanent("file_missing", f"{error}: plan the job again") from error
    except (Unavailable, OSError) as error:
        raise Away(str(error), _LOOK_AGAIN) from error
