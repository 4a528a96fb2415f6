"""Tables as JSON rows, as CSV, as an Arrow stream and as a Parquet file."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

_MILLISECONDS: Final = pa.timestamp("ms", "UTC")
_FINENESS: Final = {"open_time": pa.timestamp("s", "UTC")}
"""Of times that are not shown in milliseconds: the grid has whole seconds."""
_ROW_GROUP: Final = 50_000
_QUOTING: Final = ('"', ",", "\n", "\r")


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as JSON objects."""
    names = table.column_names
    columns = [column.to_pylist() for column in _readable(table).columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def next_open_time(table: pa.Table) -> int:
    """Where the rows behind these begin, in milliseconds."""
    return table["open_time"].cast(_MILLISECONDS).cast(pa.int64())[-1].as_py() + 1


async def csv_text(tables: AsyncIterator[pa.Table]) -> AsyncIterator[bytes]:
    """A header, then a line a row; of the tables there is at least one, if without rows."""
    first = True
    async for table in tables:
        if first:
            yield (",".join(table.column_names) + "\n").encode()
            first = False
        if table.num_rows:
            yield await asyncio.to_thread(_csv_lines, table)


def arrow_stream(tables: AsyncIterator[pa.Table]) -> AsyncIterator[bytes]:
    """An Arrow IPC stream, a record batch for each table that has rows."""
    return _written(tables, pa.ipc.new_stream)


def parquet_file(tables: AsyncIterator[pa.Table]) -> AsyncIterator[bytes]:
    """A Parquet file with row groups of about 200,000 rows."""
    return _written(_together(tables), partial(parquet.ParquetWriter, compression="zstd"))


async def _written(
    tables: AsyncIterator[pa.Table], opened: Callable[[io.BytesIO, pa.Schema], Any]
) -> AsyncIterator[bytes]:
    """What a writer of pyarrow makes of the tables, table by table."""
    sink, writer = io.BytesIO(), None
    async for table in tables:
        writer = writer or opened(sink, table.schema)
        await asyncio.to_thread(writer.write_table, table.combine_chunks())
        yield _taken(sink)
    if writer is not None:
        writer.close()
        yield _taken(sink)


async def _together(tables: AsyncIterator[pa.Table]) -> AsyncIterator[pa.Table]:
    """The rows in larger tables: each row group costs a reader, and some bytes at the end."""
    waiting: list[pa.Table] = []
    async for table in tables:
        waiting.append(table)
        if sum(each.num_rows for each in waiting) >= _ROW_GROUP:
            yield pa.concat_tables(waiting)
            waiting.clear()
    if waiting:
        yield pa.concat_tables(waiting)


def _csv_lines(table: pa.Table) -> bytes:
    """The rows as lines; floats in their shortest form that reads back as the same number."""
    sink = pa.BufferOutputStream()
    texts = [value for value in table.slice(0, 1).to_pylist()[0].values() if isinstance(value, str)]
    awkward = any(mark in text for text in texts for mark in _QUOTING)
    options = csv.WriteOptions(include_header=False, quoting_style="needed" if awkward else "none")
    csv.write_csv(_readable(table), sink, options)
    return sink.getvalue().to_pybytes()


def _readable(table: pa.Table) -> pa.Table:
    """The same rows with their times as ISO 8601."""
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            times = table[field.name].cast(_FINENESS.get(field.name, _MILLISECONDS))
            told = pc.call_function("strftime", [times], pc.StrftimeOptions("%Y-%m-%dT%H:%M:%SZ"))
            table = table.set_column(at, field.name, told)
    return table


def _taken(sink: io.BytesIO) -> bytes:
    """What was written since the last time."""
    content = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return content
