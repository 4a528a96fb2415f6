"""Candles as a table, and as JSON values."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from rich.console import Group, RenderableType

from candlelog_client.cli.grid import grid
from candlelog_client.times import as_text

_SHOWN = ("open_time", "open", "high", "low", "close", "volume", "quote_volume", "trades")


def rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Each row with times as ISO 8601 texts."""
    for row in table.to_pylist():
        yield {
            name: as_text(value) if isinstance(value, datetime) else value
            for name, value in row.items()
        }


def table(pages: Sequence[pa.Table], limit: int) -> RenderableType:
    """The candles of some pages, one a line."""
    shown = grid(*_SHOWN, whole=("open_time",))
    for column in shown.columns[1:]:
        column.justify = "right"
    for page in pages:
        for row in page.select(list(_SHOWN)).to_pylist():
            shown.add_row(*(_cell(row[name]) for name in _SHOWN))
    if not shown.row_count:
        return "No candles in this range."
    if shown.row_count < limit:
        return shown
    return Group(shown, f"The first {limit}; more with --limit, all with candlelog candles export.")


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return repr(value)
