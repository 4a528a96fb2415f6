"""Rows of the ledger of archive files, and files as other rows name them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from candlelog.events.fetch import ArchiveFileRef
from candlelog.events.progress import FileReadV1
from candlelog.market.ranges import TimeRange
from candlelog.stores.postgres import Connection
from coordinator.adapters import statements
from coordinator.domain.ledger import FileEntry, FileStatus, Noted, fold


def columns_of(file: ArchiveFileRef | None) -> tuple[str | None, str | None]:
    """The columns `file_path` and `file_version`."""
    return (None, None) if file is None else (file.path, file.version)


def file_in(row: Mapping[str, Any]) -> ArchiveFileRef | None:
    """The file that a row names in these columns."""
    if row["file_path"] is None:
        return None
    return ArchiveFileRef(path=row["file_path"], version=row["file_version"])


async def noted(connection: Connection, archive: str, paths: Sequence[str]) -> dict[str, Noted]:
    """Those of the files of an archive that were read or refused, by path."""
    rows = await connection.fetch(statements.KNOWN_FILES, archive, paths)
    return {
        row["path"]: Noted(
            row["version"],
            FileStatus(row["status"]),
            row["sha256"],
            _range(row["read_from"], row["read_until"]),
            _range(row["stale_from"], row["stale_until"]),
        )
        for row in rows
    }


async def note(connection: Connection, events: Iterable[FileReadV1]) -> None:
    """Write what was read of files, or why they were refused. One coordinator does at a time."""
    await connection.execute(statements.LOCK_FILES)
    for event in events:
        row = await connection.fetchrow(statements.READ_FILE, event.archive, event.path)
        before = None if row is None else _entry(row)
        entry = fold(before, event)
        if entry is not before:
            await _write(connection, entry)


async def _write(connection: Connection, entry: FileEntry) -> None:
    await connection.execute(
        statements.WRITE_FILE,
        *(entry.archive, entry.path, entry.exchange, entry.symbol, entry.timeframe),
        *(entry.version, entry.sha256, entry.size, entry.rows, entry.quarantined),
        *(entry.first, entry.last),
        *_bounds(entry.read),
        *_bounds(entry.stale),
        *(entry.status, entry.message, entry.read_at),
    )
    if entry.status is FileStatus.READ:
        await connection.execute(
            statements.SUPERSEDE_FILES,
            *(entry.archive, entry.path, entry.exchange, entry.symbol, entry.timeframe),
            *(entry.first, entry.last),
        )


def _entry(row: Mapping[str, Any]) -> FileEntry:
    return FileEntry(
        archive=row["archive"],
        path=row["path"],
        exchange=row["exchange"],
        symbol=row["symbol"],
        timeframe=row["timeframe"],
        version=row["version"],
        sha256=row["sha256"],
        size=row["size"],
        rows=row["rows"],
        quarantined=row["quarantined"],
        first=row["first_time"],
        last=row["last_time"],
        read=_range(row["read_from"], row["read_until"]),
        stale=_range(row["stale_from"], row["stale_until"]),
        status=FileStatus(row["status"]),
        message=row["message"],
        read_at=row["read_at"],
    )


def _bounds(part: TimeRange | None) -> tuple[datetime | None, datetime | None]:
    return (None, None) if part is None else (part.start, part.end)


def _range(start: datetime | None, end: datetime | None) -> TimeRange | None:
    return None if start is None or end is None else TimeRange(start, end)
