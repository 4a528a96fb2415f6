"""What should be stored: the source read directly, without any part of Candlelog between."""

from datetime import datetime
from pathlib import Path
from typing import Final, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from candlelog.market.timeframe import milliseconds
from candlelog_embedded.sandbox.archive import read_klines, read_text
from candlelog_embedded.sandbox.columns import TRADES
from candlelog_embedded.sandbox.folding import folded
from candlelog_embedded.sandbox.generator import GeneratedMarket
from candlelog_embedded.sandbox.intervals import INTERVALS

COMPARED: Final = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
)
"""Columns of a truth: times in milliseconds since the epoch, trades as integers, else doubles."""

_EXACT: Final = pa.decimal128(38, 12)
_HOUR_MS: Final = 3_600_000
_FOLDS: Final = ("first", "max", "min", "last", "sum", "sum", "sum")


def archived_minutes(path: Path) -> pa.Table:
    """The 1m candles of an archive file, each number the double nearest to its text."""
    klines = read_klines(path)
    return pa.table({name: getattr(klines, name) for name in COMPARED})


def archived_hours(path: Path) -> pa.Table:
    """1h candles of an archive file of 1m candles; sums are exact before they become doubles."""
    minutes, text = archived_minutes(path), read_text(path)
    hours = pa.array(minutes["open_time"].to_numpy() // _HOUR_MS * _HOUR_MS)
    exact = {name: text[name].cast(_EXACT) for name in ("volume", "quote_volume")}
    columns = {name: minutes[name] for name in COMPARED} | exact | {"open_time": hours}
    folds = tuple(zip(COMPARED[1:], _FOLDS, strict=True))
    grouped = pa.table(columns).group_by("open_time", use_threads=False)
    candles = grouped.aggregate(list(folds)).sort_by("open_time")
    result = {name: candles[f"{name}_{fold}"] for name, fold in folds}
    for name in exact:
        result[name] = pa.array([float(total) for total in result[name].to_pylist()])
    return pa.table({"open_time": candles["open_time"], **result})


def generated(symbol: str, timeframe: str, start: datetime, end: datetime) -> pa.Table:
    """The candles of a generated symbol in `[start, end)`."""
    minutes = GeneratedMarket(symbol).minutes(milliseconds(start), milliseconds(end))
    candles = folded(minutes, INTERVALS[timeframe])
    columns: dict[str, NDArray[np.int64] | NDArray[np.float64]] = {"open_time": candles.open_time}
    for field, name in enumerate(COMPARED[1:]):
        units = candles.values[field]
        # Both sides of the division are exact doubles, so the quotient is the nearest one.
        columns[name] = units if field == TRADES else units / 10.0 ** candles.decimals[field]
    return pa.table(columns)


def stored(table: pa.Table) -> pa.Table:
    """Candles read from the API in the form of a truth."""
    times = cast("pa.ChunkedArray", table["open_time"].cast(pa.int64()))
    columns = {name: table[name] for name in COMPARED[1:]}
    return pa.table({"open_time": times, **columns, "trades": table["trades"].cast(pa.int64())})
