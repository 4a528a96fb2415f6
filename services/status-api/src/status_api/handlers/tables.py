"""Columns of candles as JSON rows and as CSV."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from status_api.adapters.history import CANDLE_COLUMNS

_SECONDS: Final = pa.timestamp("s", "UTC")
_MILLISECONDS: Final = pa.timestamp("ms", "UTC")
_QUOTING: Final = ('"', ",", "\n", "\r")


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """The candles as JSON objects."""
    columns = [column.to_pylist() for column in _readable(table).columns]
    return [dict(zip(CANDLE_COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]


def csv_header() -> bytes:
    """The header line."""
    return (",".join(CANDLE_COLUMNS) + "\n").encode()


def csv_lines(table: pa.Table) -> bytes:
    """The candles as lines; floats in their shortest form that reads back as the same number."""
    sink = pa.BufferOutputStream()
    names = table.slice(0, 1).select(["exchange", "symbol", "timeframe"]).to_pylist()[0]
    awkward = any(mark in name for name in names.values() for mark in _QUOTING)
    options = csv.WriteOptions(include_header=False, quoting_style="needed" if awkward else "none")
    csv.write_csv(_readable(table), sink, options)
    return sink.getvalue().to_pybytes()


def next_open_time(table: pa.Table) -> int:
    """Where the candles behind these begin, in milliseconds."""
    return _milliseconds(table["open_time"])[-1].as_py() + 1


def _readable(table: pa.Table) -> pa.Table:
    """The same candles with their times as ISO 8601: the grid has whole seconds."""
    opened = _text(table["open_time"].cast(_SECONDS))
    observed = _text(table["observed_at"].cast(_MILLISECONDS))
    return table.set_column(3, "open_time", opened).set_column(
        len(CANDLE_COLUMNS) - 1, "observed_at", observed
    )


def _text(times: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.call_function("strftime", [times], pc.StrftimeOptions("%Y-%m-%dT%H:%M:%SZ"))


def _milliseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(_MILLISECONDS).cast(pa.int64())
