"""Kline files as the public archive of Binance publishes them: one CSV in a zip, with a checksum.

The layout below a folder is `{spot|futures/um}/{monthly|daily}/klines/SYMBOL/1m/`, and in it
`SYMBOL-1m-2024-02.zip` (a day's file ends in `-2024-02-03.zip`) beside `….zip.CHECKSUM`, a line
of `sha256sum`. Spot files count in microseconds from 2025 on, everything else in milliseconds;
newer futures files begin with a header row.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from candlelog.errors import Invalid

NAMES: Final = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "trades",
    "taker_volume",
    "taker_quote_volume",
    "ignored",
)

_LARGEST_MILLISECONDS: Final = 10**14


@dataclass(frozen=True, slots=True)
class Klines:
    """One file as columns of shape (n,); open times in milliseconds since the epoch, volume in
    base units, the rest of the numbers as doubles nearest to the text of the file.
    """

    open_time: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    quote_volume: NDArray[np.float64]
    trades: NDArray[np.int64]


def read_klines(path: Path) -> Klines:
    """The candles of one zip, once its checksum holds; `Invalid` says what is wrong with it."""
    table = read_text(path)

    def floats(name: str) -> NDArray[np.float64]:
        return np.frombuffer(values(table[name], pa.float64()), np.float64)

    return Klines(
        open_time=open_times(table),
        open=floats("open"),
        high=floats("high"),
        low=floats("low"),
        close=floats("close"),
        volume=floats("volume"),
        quote_volume=floats("quote_volume"),
        trades=np.frombuffer(values(table["trades"], pa.int64()), np.int64),
    )


def read_text(path: Path) -> pa.Table:
    """The rows of one zip as strings, under `NAMES`; raises `Invalid` like `read_klines`."""
    content = _verified_csv(path)
    headed = not content[:1].isdigit()
    try:
        return csv.read_csv(
            io.BytesIO(content),
            read_options=csv.ReadOptions(column_names=list(NAMES), skip_rows=int(headed)),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(NAMES, pa.string())),
        )
    except pa.ArrowInvalid as error:
        raise Invalid(f"{path.name}: not a kline file: {error}") from error


def open_times(table: pa.Table) -> NDArray[np.int64]:
    """Open times in milliseconds, whichever unit the file counts in: shape (n,)."""
    times = np.frombuffer(values(table["open_time"], pa.int64()), np.int64)
    return np.where(times > _LARGEST_MILLISECONDS, times // 1000, times)


def values(column: pa.ChunkedArray, kind: pa.DataType) -> memoryview:
    """The values of a column without nulls as `kind`, which is of a fixed width.

    Not `to_numpy`: that imports pandas wherever it is installed, for a second and 40 MB.
    """
    array = column.combine_chunks().cast(kind)
    width = kind.bit_width // 8
    start = array.offset * width
    return memoryview(array.buffers()[1])[start : start + len(array) * width]


def _verified_csv(path: Path) -> bytes:
    content = path.read_bytes()
    checksum = path.with_name(path.name + ".CHECKSUM")
    if not checksum.exists():
        raise Invalid(f"{path.name}: its checksum file {checksum.name} is missing")
    expected = checksum.read_text().split()[0]
    if hashlib.sha256(content).hexdigest() != expected:
        raise Invalid(f"{path.name}: its content does not match {checksum.name}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(archive.namelist()[0])
