"""Writing a range of candles or features to a file or stdout, with a bar that counts the rows."""

import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from candlelog.clock import SystemClock
from candlelog.errors import Invalid
from candlelog.market.timeframe import Timeframe
from candlelog_client.cli.output import stderr
from candlelog_client.cli.ranges import STDOUT
from candlelog_client.ranges import RangeQuery, SeriesRange
from candlelog_client.times import as_text


@dataclass(frozen=True, slots=True)
class Written:
    """What an export wrote."""

    file: str
    format: str
    rows: int
    bytes: int


Writer = Callable[[RangeQuery, Path], Awaitable[Written]]


def expected_rows(wanted: SeriesRange) -> int | None:
    """How many open times the range has, at most; None where that cannot be told."""
    first, last = as_text(wanted.start), as_text(wanted.end or SystemClock().now())
    if first is None or last is None:
        return None
    try:
        moments = datetime.fromisoformat(first), datetime.fromisoformat(last)
        return Timeframe.parse(wanted.timeframe).count(*moments)
    except (Invalid, ValueError):
        return None


async def write_csv(query: RangeQuery, to: Path) -> Written:
    """The CSV of the server as it is."""
    lines = size = 0
    async with query.csv() as blocks:
        with target(to) as file, _counter(query) as counted:
            async for block in blocks:
                file.write(block)
                lines, size = lines + block.count(b"\n"), size + len(block)
                counted(max(lines - 1, 0))
    return Written(str(to), "csv", max(lines - 1, 0), size)


async def write_batches(
    query: RangeQuery, to: Path, *, kind: str, writer: Callable[[BinaryIO, pa.Schema], Any]
) -> Written:
    """A file of this kind, by a writer that takes the record batches of the server."""
    rows = 0
    async with query.batches() as batches:
        with target(to) as file, _counter(query) as counted:
            with writer(file, batches.schema) as out:
                async for batch in batches:
                    out.write_batch(batch)
                    rows += batch.num_rows
                    counted(rows)
            size = file.tell()
    return Written(str(to), kind, rows, size)


WRITERS: dict[str, Writer] = {
    "csv": write_csv,
    "parquet": partial(
        write_batches, kind="parquet", writer=partial(pq.ParquetWriter, compression="zstd")
    ),
    "arrow": partial(write_batches, kind="arrow", writer=pa.ipc.new_file),
}


@contextmanager
def target(to: Path) -> Generator[BinaryIO]:
    """A file that appears under its name only when it is whole; stdout as it is.

    Raises `OSError` where no file can be written.
    """
    if to == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if to.exists() and not to.is_file():
        raise OSError(f"{to} is no file that can be written anew: give another, or - for stdout")
    to = Path(os.path.realpath(to))  # what a link points to, and not the link
    if not to.parent.is_dir():
        raise OSError(f"there is no folder {to.parent}")
    part = to.with_name(f"{to.name}.{secrets.token_hex(4)}.part")
    try:
        file = part.open("xb")
    except OSError as error:
        raise OSError(f"{to} cannot be written: {error.strerror}") from error
    try:
        with file:
            yield file
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _counter(query: RangeQuery) -> Generator[Callable[[int], None]]:
    """A bar on stderr, moved by calling it with the rows so far; nothing outside a terminal."""
    columns = (query.noun, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = stderr()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=expected_rows(query.wanted))
        rows_so_far = 0

        def count(rows: int) -> None:
            nonlocal rows_so_far
            rows_so_far = rows
            progress.update(bar, completed=rows)

        yield count
        progress.update(bar, total=rows_so_far)
