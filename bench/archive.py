"""`python -m bench.archive`: the way from files of an archive to readable rows, the whole system.

Two sections: months of several markets in the form of Binance's archive, and the longest file that
there can be in Kraken's: every minute since 2009, more than nine million rows. Beside each, in the
same run and on the same engine, a loop over clickhouse-connect's `insert_arrow` of the same rows
into tables of the same kind; it reads no file, checks nothing and tells nobody. Meanwhile the
memory of every process is looked at.
"""

import argparse
import asyncio
import hashlib
import io
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psutil
import pyarrow as pa
from pyarrow import csv
from rich.console import Console

from bench.report import Figure, Held, Report, conclude
from bench.sections import add_sections, chosen
from bench.system import System, running_system
from candlelog.events.candles import CANDLE_SCHEMA
from candlelog.market.timeframe import Timeframe, milliseconds
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrations_directory
from candlelog_client import Candlelog

MINUTE = timedelta(minutes=1)
MARKETS, SETTLED = 8, 1440
BLOCK = 64_000
"""Rows of one plain insert: as many as a flush of the sink holds."""
LEAST_RATIO, AIM = 0.3, 100_000
MOST_MEMORY_MB = 400
OURS = ("clickhouse-sink", "coordinator", "featurizer", "fetcher", "gap-auditor", "status-api")
LOOK_SECONDS = 0.25
_NAMES = ("exchange", "symbol", "timeframe", "source")


@dataclass(frozen=True)
class Work:
    """Minutes of some markets, all in files of an archive: what is asked for, and the rows."""

    title: str
    exchange: str
    symbols: list[str]
    start: datetime
    minutes: int

    @property
    def rows(self) -> int:
        """Of all markets."""
        return self.minutes * len(self.symbols)

    def of(self, number: int, first: int, size: int) -> pa.RecordBatch:
        """So many minutes of a market, as the columns of candles."""
        places = np.arange(first, first + size)
        close = 100 + (places * 7 + number) % 9973 / 100
        columns = [close, close + 0.5, close - 0.5, close, 1 + places % 997 / 8]
        times = milliseconds(self.start) + 60_000 * places
        return pa.RecordBatch.from_arrays(
            [
                pa.array(times).cast(CANDLE_SCHEMA.field("open_time").type),
                *(pa.array(column) for column in columns),
                pa.array(columns[3] * columns[4]),
                pa.array(1 + places % 5000, pa.uint32()),
            ],
            schema=CANDLE_SCHEMA,
        )


def months() -> Work:
    """A year of minutes of several markets."""
    start, end = datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
    symbols = [f"GEN{number:03d}/USDT" for number in range(1, MARKETS + 1)]
    return Work("months of Binance's", "binance", symbols, start, (end - start) // MINUTE)


def long() -> Work:
    """One market in one file."""
    start = datetime(2009, 1, 1, tzinfo=UTC)
    minutes = (datetime.now(UTC) - start) // MINUTE - SETTLED
    return Work("one file of Kraken's", "kraken", ["SYNA/USDT"], start, minutes)


def write_months(work: Work, folder: Path) -> None:
    """A zip for each month of each market, with its checksum."""
    month = Timeframe.parse("1M")
    for number, symbol in enumerate(work.symbols):
        market, start = symbol.replace("/", ""), work.start
        while (place := (start - work.start) // MINUTE) < work.minutes:
            end = month.advance(start, 1)
            name = f"{market}-1m-{start:%Y-%m}"
            path = folder / f"spot/monthly/klines/{market}/1m/{name}.zip"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = _lines(_kline(work.of(number, place, (end - start) // MINUTE)))
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr(f"{name}.csv", text)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            path.with_name(f"{path.name}.CHECKSUM").write_text(f"{digest}  {path.name}\n")
            start = end


def write_long(work: Work, folder: Path) -> None:
    """One csv."""
    folder.mkdir(parents=True, exist_ok=True)
    market = work.symbols[0].replace("/", "")
    with (folder / f"{market}_1.csv").open("wb") as file:
        for rows in _blocks(work, 0):
            file.write(_lines(_ohlcvt(rows)))


def _kline(rows: pa.RecordBatch) -> pa.Table:
    times = rows.column("open_time").cast(pa.int64())
    close_times = pa.array(times.to_numpy() + 59_999)
    taken = (rows.column("volume"), rows.column("quote_volume"))
    columns = [
        times, *rows.columns[1:6], close_times, rows.column("quote_volume"),
        rows.column("trades"), *taken, pa.array(np.zeros(rows.num_rows, np.int64)),
    ]  # fmt: skip
    return pa.table(columns, [str(place) for place in range(12)])


def _ohlcvt(rows: pa.RecordBatch) -> pa.Table:
    seconds = pa.array(rows.column("open_time").cast(pa.int64()).to_numpy() // 1000)
    columns = [seconds, *rows.columns[1:6], rows.column("trades")]
    return pa.table(columns, [str(place) for place in range(7)])


def _lines(table: pa.Table) -> bytes:
    text = io.BytesIO()
    csv.write_csv(table, text, csv.WriteOptions(include_header=False))
    return text.getvalue()


def _blocks(work: Work, number: int) -> Iterator[pa.RecordBatch]:
    for first in range(0, work.minutes, BLOCK):
        yield work.of(number, first, min(BLOCK, work.minutes - first))


async def measure(work: Work, system: System) -> Report:
    """The system, then the plain loop."""
    memory = defaultdict[str, float](float)
    async with Candlelog() as candlelog, _watched(system, memory):
        began = time.monotonic()
        job = await candlelog.jobs.submit(
            exchange=work.exchange, symbols=work.symbols, timeframes=["1m"], source="archive",
            start=work.start, end=work.start + work.minutes * MINUTE, features=False,
        )  # fmt: skip
        job = [state async for state in candlelog.jobs.watch(job.id)][-1]
        seconds = time.monotonic() - began
    if (job.status, job.candles_stored) != ("completed", work.rows):
        raise RuntimeError(f"the job ended as {job.status} with {job.candles_stored} candles")
    await system.merged()
    speed, plain = work.rows / seconds, work.rows / await _inserted(work, system)
    figures: dict[str, Figure] = {
        "rows": work.rows,
        "file to readable, rows/s": round(speed),
        "loop over insert_arrow, rows/s": round(plain),
        "ratio": Held(speed / plain, at_least=LEAST_RATIO),
        f"of {AIM:,} rows/s": speed / AIM,
    }
    for name, most in sorted(memory.items(), key=lambda item: -item[1]):
        ours = name.startswith(OURS)
        figures[f"most memory of {name}, MB"] = (
            Held(most, at_most=MOST_MEMORY_MB) if ours else round(most)
        )
    return Report(f"The archive path: {work.title}", figures)


async def _inserted(work: Work, system: System) -> float:
    """Seconds of a plain loop into tables of its own."""
    parts = urlsplit(system.clickhouse_url)
    store = ClickHouse(urlunsplit(parts._replace(path="/plain")))
    await migrate_clickhouse(store, migrations_directory("clickhouse-sink"))
    seconds = 0.0
    for number, symbol in enumerate(work.symbols):
        for rows in _blocks(work, number):
            names = [work.exchange, symbol, "1m", "archive"]
            table = pa.Table.from_batches([rows])
            for column, value in zip(_NAMES, names, strict=True):
                table = table.append_column(column, pa.repeat(value, rows.num_rows))
            table = table.append_column("observed_at", rows.column("open_time"))
            began = time.monotonic()
            await store.insert_arrow("candles", table)
            seconds += time.monotonic() - began
    await store.command("DROP DATABASE plain SYNC")
    await store.close()
    return seconds


@asynccontextmanager
async def _watched(system: System, most: dict[str, float]) -> AsyncGenerator[None]:
    """Note the most memory, in megabytes, that each process has while the block lasts."""

    processes = await system.processes()

    async def look() -> None:
        while True:
            for name, process in processes.items():
                with suppress(psutil.NoSuchProcess):
                    most[name] = max(most[name], process.memory_info().rss / 1e6)
            await asyncio.sleep(LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()


_SECTIONS = {"months": (months, write_months), "long": (long, write_long)}


async def run(sections: list[str], share: float, console: Console) -> list[Report]:
    """Each section on a system of its own."""
    reports: list[Report] = []
    for section in sections:
        make, write = _SECTIONS[section]
        work = make()
        if section == "long":
            work = replace(work, minutes=round(work.minutes * share))
        with tempfile.TemporaryDirectory(prefix="candlelog-bench-") as folder:
            write(work, Path(folder))
            flags = ("--archive", f"{work.exchange}={folder}")
            async with running_system(generated=MARKETS, up_flags=flags) as system:
                reports.append(await measure(work, system))
        reports[-1].show(console)
    return reports


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.archive", description=__doc__)
    add_sections(parser, _SECTIONS)
    parser.add_argument("--share", type=float, default=1.0, help="of the rows of `long`")
    options = parser.parse_args()
    conclude(asyncio.run(run(chosen(parser, options, _SECTIONS), options.share, Console())))


if __name__ == "__main__":
    main()
