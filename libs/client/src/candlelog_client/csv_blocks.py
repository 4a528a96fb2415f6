"""CSV bytes as they arrive, turned into Arrow tables without holding the text of the range."""

import asyncio
from collections.abc import AsyncIterator

import pyarrow as pa
from pyarrow import csv

from candlelog_client.frames import COLUMNS

_BLOCK_BYTES = 1 << 22


async def tables(blocks: AsyncIterator[bytes]) -> AsyncIterator[pa.Table]:
    """Tables with the columns of `COLUMNS`, each of about 4 MiB of text, in order."""
    header = b""
    pending = bytearray()
    async for block in blocks:
        pending += block
        if not header:
            header, pending = _split_header(pending)
        cut = pending.rfind(b"\n") + 1
        if cut >= _BLOCK_BYTES:
            text, pending = bytes(pending[:cut]), pending[cut:]
            yield await asyncio.to_thread(_parsed, header + text)
    if pending:
        yield await asyncio.to_thread(_parsed, header + bytes(pending))


def _split_header(pending: bytearray) -> tuple[bytes, bytearray]:
    end = pending.find(b"\n") + 1
    return bytes(pending[:end]), pending[end:]


def _parsed(text: bytes) -> pa.Table:
    convert = csv.ConvertOptions(
        column_types={field.name: field.type for field in COLUMNS},
        include_columns=COLUMNS.names,
        include_missing_columns=True,
        timestamp_parsers=[csv.ISO8601],
    )
    return csv.read_csv(pa.BufferReader(text), convert_options=convert).cast(COLUMNS)
