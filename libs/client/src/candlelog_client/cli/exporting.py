"""Writing a range of candles to a file or stdout, with a bar that counts the rows."""

import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pyarrow.parquet as pq
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from candlelog.clock import SystemClock
from candlelog.errors import Invalid
from candlelog.market.timeframe import Timeframe
from candlelog_client.candles import CandleQuery
from candlelog_client.cli.output import stderr
from candlelog_client.csv_blocks import tables
from candlelog_client.frames import COLUMNS
from candlelog_client.times import as_text

STDOUT = Path("-")


@dataclass(frozen=True, slots=True)
class Written:
    """What an export wrote."""

    file: str
    format: str
    rows: int
    bytes: int


Writer = Callable[[CandleQuery, Path, int | None], Awaitable[Written]]


def expected_rows(timeframe: str, start: str | None, end: str | None) -> int | None:
    """How many open times the range has, at most; None where that cannot be told."""
    first, last = as_text(start), as_text(end or SystemClock().now())
    if first is None or last is None:
        return None
    try:
        moments = datetime.fromisoformat(first), datetime.fromisoformat(last)
        return Timeframe.parse(timeframe).count(*moments)
    except (Invalid, ValueError):
        return None


async def write_csv(query: CandleQuery, to: Path, expected: int | None) -> Written:
    """The CSV of the server as it is."""
    lines = size = 0
    async with query.csv() as blocks:
        with _target(to) as file, _counter(expected) as counted:
            async for block in blocks:
                file.write(block)
                lines, size = lines + block.count(b"\n"), size + len(block)
                counted(max(lines - 1, 0))
    return Written(str(to), "csv", max(lines - 1, 0), size)


async def write_parquet(query: CandleQuery, to: Path, expected: int | None) -> Written:
    """A Parquet file with the columns of the CSV, zstd-compressed."""
    rows = 0
    async with query.csv() as blocks:
        with _target(to) as file, _counter(expected) as counted:
            with pq.ParquetWriter(file, COLUMNS, compression="zstd") as writer:
                async for table in tables(blocks):
                    writer.write_table(table)
                    rows += table.num_rows
                    counted(rows)
            size = file.tell()
    return Written(str(to), "parquet", rows, size)


WRITERS: dict[str, Writer] = {"csv": write_csv, "parquet": write_parquet}


@contextmanager
def _target(to: Path) -> Generator[BinaryIO]:
    """A file that appears under its name only when it is whole; stdout as it is."""
    if to == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = to.with_name(to.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _counter(expected: int | None) -> Generator[Callable[[int], None]]:
    """A bar on stderr, moved by calling it with the rows so far; nothing outside a terminal."""
    columns = ("candles", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = stderr()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=expected)
        rows_so_far = 0

        def count(rows: int) -> None:
            nonlocal rows_so_far
            rows_so_far = rows
            progress.update(bar, completed=rows)

        yield count
        progress.update(bar, total=rows_so_far)
