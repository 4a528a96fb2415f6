"""What the codec of the feature columns costs, and what their many files: a real month, stored once
with each."""

import asyncio
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import clickhouse_connect
import psutil
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from pyarrow import csv

import candlelog_embedded
from bench.report import Figure, Report
from bench.system import System
from candlelog.events.feature_sets import DEFAULT
from candlelog.market.candles import Columns
from candlelog.market.timeframe import Timeframe
from featurizer.checking import checked_feature_sets
from featurizer.domain.computation import Computation

MEGABYTE = 1024 * 1024
CHOICES = {
    "ZSTD(1)": ("ZSTD(1)", 10 * MEGABYTE),
    "LZ4": ("LZ4", 10 * MEGABYTE),
    "Delta, LZ4": ("Delta, LZ4", 10 * MEGABYTE),
    "Gorilla, LZ4": ("Gorilla, LZ4", 10 * MEGABYTE),
    "Delta, LZ4, up to 128 MB in one file": ("Delta, LZ4", 128 * MEGABYTE),
}
"""The codec of a column, and from which size on each has files of its own. The first choice is what
the others are compared with; 10 MB are ClickHouse's own."""
SERIES = 8
_SAMPLE = Path(candlelog_embedded.__file__).with_name("sample_market")
_READ = ["open_time", "open", "high", "low", "close", "volume"]


async def measure(system: System) -> list[Report]:
    """Bytes of a row, and processor seconds of the engine: to insert and merge, and to read."""
    engine = (await system.processes())["clickhouse-0"]
    rows = await asyncio.to_thread(_features)
    figures: dict[str, Figure] = {"rows": SERIES * rows.num_rows}
    first: dict[str, float] = {}
    for choice, (codec, wide) in CHOICES.items():
        found = await asyncio.to_thread(_stored, system.clickhouse_url, engine, rows, codec, wide)
        first = first or found
        for name, value in found.items():
            figures[f"{choice}: {name}"] = value
            figures[f"{choice}: {name}, ratio"] = value / first[name]
    return [Report(f"Codecs of features: {SERIES} series of one real month", figures)]


def _features() -> pa.Table:
    (path,) = _SAMPLE.rglob("*.zip")
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        table = csv.read_csv(file).select(_READ)
    candles = Columns(*(column.to_numpy() for column in table.columns))
    computation = Computation(checked_feature_sets(None).versions[DEFAULT])
    return pa.Table.from_batches([computation.compute(Timeframe.parse("1m"), candles)])


def _stored(
    url: str, engine: psutil.Process, rows: pa.Table, codec: str, wide: int
) -> dict[str, float]:
    client = connected(url)
    columns = ", ".join(
        f"`{name}` Nullable(Float64) CODEC({codec})" for name in rows.column_names[1:]
    )
    try:
        client.command(
            "CREATE TABLE codecs (symbol String, open_time DateTime64(3, 'UTC')"
            f" CODEC(Delta, ZSTD(1)), {columns}) ENGINE = ReplacingMergeTree"
            f" ORDER BY (symbol, open_time) SETTINGS min_bytes_for_wide_part = {wide}"
        )
        began = busy(engine)
        for number in range(SERIES):
            symbol = pa.array([f"S{number}"] * rows.num_rows)
            client.insert_arrow("codecs", rows.append_column("symbol", symbol))
        client.command("OPTIMIZE TABLE codecs FINAL")
        written = busy(engine)
        client.query_arrow("SELECT * FROM codecs FINAL ORDER BY symbol, open_time")
        read = busy(engine)
        return {
            "bytes of a row": _bytes(client) / (SERIES * rows.num_rows),
            "insert and merge, s": written - began,
            "read, s": read - written,
        }
    finally:
        client.command("DROP TABLE IF EXISTS codecs SYNC")
        client.close()


def connected(url: str) -> Client:
    """A client that inserts as our services do."""
    address = urlsplit(url)
    return clickhouse_connect.get_client(
        host=address.hostname or "", port=address.port or 0, autogenerate_session_id=False,
        database=address.path.strip("/"), settings={"optimize_on_insert": 0},
    )  # fmt: skip


def busy(process: psutil.Process) -> float:
    """Seconds of processor that it has used."""
    times = process.cpu_times()
    return times.user + times.system


def _bytes(client: Client) -> int:
    sql = "SELECT sum(bytes_on_disk) FROM system.parts WHERE table = 'codecs' AND active"
    return int(client.query(sql).result_rows[0][0])
