"""What the codecs of the columns of candles cost: real months, stored once with each."""

import asyncio
import zipfile
from collections.abc import Mapping
from pathlib import Path

import psutil
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from pyarrow import csv

import candlelog_embedded
from bench.codecs import busy, connected
from bench.report import Figure, Report
from bench.system import System

CHOICES = (
    "Delta, ZSTD(1)", "ZSTD(1)", "ZSTD(3)", "LZ4", "Delta, LZ4", "DoubleDelta, ZSTD(1)",
    "Gorilla, ZSTD(1)", "T64, ZSTD(1)",
)  # fmt: skip
"""T64 is for whole numbers: where a column is none, it has the first choice."""
TIMES = 8
"""How often the month is inserted, for the time that takes; merged, it is there once. As several
series its repetition would look like compression."""
GROUPS: Mapping[str, tuple[str, ...]] = {
    "open_time": ("open_time",),
    "a price": ("open", "high", "low", "close"),
    "volume": ("volume",),
    "quote_volume": ("quote_volume",),
    "trades": ("trades",),
}
_KINDS = {"open_time": "DateTime64(3, 'UTC')", "trades": "Nullable(UInt32)"}
_SAMPLE = Path(candlelog_embedded.__file__).with_name("sample_market")
_NAMES = {"count": "trades"}
"""What the header of the file calls a column of ours."""
_SIZES = """
SELECT column, sum(column_data_compressed_bytes) FROM system.parts_columns
WHERE table = 'codecs' AND active GROUP BY column
"""


async def measure(system: System) -> list[Report]:
    """Bytes of a value in each column, and seconds of the engine to insert and merge."""
    engine = (await system.processes())["clickhouse-0"]
    rows = await asyncio.to_thread(_candles)
    figures: dict[str, Figure] = {"rows": rows.num_rows}
    for choice in CHOICES:
        found = await asyncio.to_thread(_stored, system.clickhouse_url, engine, rows, choice)
        figures |= {f"{choice}: {name}": value for name, value in found.items()}
    return [Report("Codecs of candles: one real month", figures)]


def _candles() -> pa.Table:
    (path,) = _SAMPLE.rglob("*.zip")
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        table = csv.read_csv(file)
    table = table.rename_columns([_NAMES.get(name, name) for name in table.column_names])
    table = table.select([name for names in GROUPS.values() for name in names])
    times = table["open_time"].cast(pa.timestamp("ms", "UTC"))
    volumes = table["volume"].cast(pa.float64())
    place = table.schema.get_field_index("volume")
    return table.set_column(0, "open_time", times).set_column(place, "volume", volumes)


def _stored(url: str, engine: psutil.Process, rows: pa.Table, choice: str) -> dict[str, float]:
    client = connected(url)
    columns = ", ".join(f"`{name}` {_column(name, choice)}" for name in rows.column_names)
    try:
        client.command(
            f"CREATE TABLE codecs (symbol String, {columns}) ENGINE = ReplacingMergeTree"
            " ORDER BY (symbol, open_time) SETTINGS min_bytes_for_wide_part = 0"
        )
        began = busy(engine)
        for _ in range(TIMES):
            symbol = pa.repeat("S", rows.num_rows)
            client.insert_arrow("codecs", rows.append_column("symbol", symbol))
        client.command("OPTIMIZE TABLE codecs FINAL")
        seconds = busy(engine) - began
        return {**_bytes(client, rows.num_rows), "insert and merge, s": seconds}
    finally:
        client.command("DROP TABLE IF EXISTS codecs SYNC")
        client.close()


def _column(name: str, choice: str) -> str:
    whole = name in _KINDS
    codec = CHOICES[0] if choice.startswith("T64") and not whole else choice
    codec = CHOICES[0] if codec.startswith("Gorilla") and whole else codec
    return f"{_KINDS.get(name, 'Float64')} CODEC({codec})"


def _bytes(client: Client, rows: int) -> dict[str, float]:
    """Of a value, in each group of columns."""
    sizes = {str(name): int(size) for name, size in client.query(_SIZES).result_rows}
    return {
        f"bytes of {group}": sum(sizes[name] for name in names) / len(names) / rows
        for group, names in GROUPS.items()
    }
