"""Rows of candles and features as a table, and as JSON values."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from rich.table import Table

from candlelog_client.cli.grid import grid
from candlelog_client.times import as_text

Tell = Callable[[Any], str]
"""A number as it is shown."""


def rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Each row with times as ISO 8601 texts."""
    for row in table.to_pylist():
        yield {
            name: as_text(value) if isinstance(value, datetime) else value
            for name, value in row.items()
        }


def table(pages: Sequence[pa.Table], columns: Sequence[str], tell: Tell) -> Table:
    """The open times and these columns of some pages, one row a line."""
    names = ("open_time", *columns)
    shown = grid(*names, whole=("open_time",))
    for column in shown.columns[1:]:
        column.justify = "right"
    for page in pages:
        for row in page.select(names).to_pylist():
            shown.add_row(*(_cell(row[name], tell) for name in names))
    return shown


def _cell(value: Any, tell: Tell) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else tell(value)
