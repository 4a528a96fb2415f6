"""From the text of a page to its candles.

A page as it should be is read as columns at once: a list of equally long lists of numbers is, but
for its brackets, a CSV file, which Arrow reads five times faster than JSON is turned into Python
objects and these into columns. Whatever is not as it should be is read again, row by row.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
from pyarrow import csv

from candlelog.market.candles import Columns, are_sound, faults
from candlelog.market.pages import Layout, Page, read_page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, milliseconds
from fetcher.domain.answers import not_understood

_BLOCK: Final = 1 << 24
"""Bytes Arrow reads at once: more than any page has."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a page should hold: candles of `window`, closed before `open_from`, an open time."""

    window: TimeRange
    timeframe: Timeframe
    open_from: datetime


def read(text: bytes, layout: Layout, question: Question) -> Page:
    """The candles of a page and the rows that are refused.

    Raises `Transient` for a text that is no list of rows.
    """
    columns = _columns(text.strip(), layout)
    if columns is not None:
        still_open = columns.open_time == milliseconds(question.open_from)
        if are_sound(columns, question.window, question.timeframe):
            return Page(columns.to_batch(~still_open), ())
        fine = faults(columns, question.window, question.timeframe) == None  # noqa: E711 -- elementwise
        if np.all(fine | still_open):
            return Page(columns.to_batch(fine & ~still_open), ())
    return read_page(
        _rows(text),
        layout,
        question.window,
        question.timeframe,
        open_from=question.open_from,
    )


def _columns(text: bytes, layout: Layout) -> Columns | None:
    """The columns, or None for a text that is not as it should be."""
    if not (text.startswith(b"[[") and text.endswith(b"]]")) or text.endswith(b"[]]"):
        return None  # of an empty row at the end CSV would see nothing
    lines = text[2:-2].replace(b"],[", b"\n")
    try:
        table = csv.read_csv(pa.BufferReader(lines), *_options(layout))
        return _named(layout, [column.to_numpy() for column in table.columns])
    except pa.ArrowInvalid:
        return None


@cache
def _options(layout: Layout) -> tuple[csv.ReadOptions, csv.ParseOptions, csv.ConvertOptions]:
    integers = {layout.open_time, layout.trades}
    wanted = [layout.open_time, *layout.prices, layout.quote_volume, layout.trades]
    names = [str(place) for place in wanted if place is not None]
    return (
        csv.ReadOptions(
            use_threads=False,
            block_size=_BLOCK,
            column_names=[str(place) for place in range(layout.width)],
        ),
        csv.ParseOptions(escape_char=False, newlines_in_values=False, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types={
                name: pa.int64() if int(name) in integers else pa.float64() for name in names
            },
            include_columns=names,
            null_values=[],
        ),
    )


def _named(layout: Layout, columns: list[Any]) -> Columns:
    """Columns in the order of `_options` under their names."""
    required, optional = columns[:6], iter(columns[6:])
    return Columns(
        layout.times(required[0]),
        *required[1:],
        quote_volume=None if layout.quote_volume is None else next(optional),
        trades=None if layout.trades is None else next(optional),
    )


def _rows(text: bytes) -> list[list[object]]:
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise not_understood(_excerpt(text)) from error
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise not_understood(_excerpt(text))
    return rows


def _excerpt(text: bytes) -> str:
    return text[:200].decode(errors="replace")
