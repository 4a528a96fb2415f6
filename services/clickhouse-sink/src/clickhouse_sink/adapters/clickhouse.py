"""The tables in ClickHouse: reads by ranges of series, appends as Arrow."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import pyarrow as pa

from candlelog.market.series import Series
from candlelog.stores.clickhouse import ClickHouse
from clickhouse_sink.domain.batches import Window
from clickhouse_sink.domain.restatement import Asked
from clickhouse_sink.domain.sets import MARKED, mark
from clickhouse_sink.domain.tables import CANDLE_ROWS, TableName

_ASKED: Final = """
SELECT DISTINCT exchange, symbol, timeframe, start, end, observed_at
FROM coverage WHERE {wanted} ORDER BY {order}
"""
_HELD: Final = """
SELECT {columns} FROM {table} FINAL WHERE {wanted} ORDER BY {order}
"""
_BY_SERIES: Final = ("exchange", "symbol", "timeframe")
_BY_VERSION: Final = (*_BY_SERIES, "open_time", "observed_at")
_SERIES_IS: Final = (
    "exchange = {{exchange{n}:String}} AND timeframe = {{timeframe{n}:String}}"
    " AND symbol IN {{symbols{n}:Array(String)}}"
)
_AFTER: Final = "fromUnixTimestamp64Milli({{start{n}:Int64}})"
_BEFORE: Final = "fromUnixTimestamp64Milli({{end{n}:Int64}})"
_OVERLAPS: Final = f"({_SERIES_IS} AND end > {_AFTER} AND start < {_BEFORE})"
_INSIDE: Final = f"({_SERIES_IS} AND open_time >= {_AFTER} AND open_time < {_BEFORE})"

_GROUPS: Final = 100
"""Ranges in one statement: each takes five parameters, and a form holds no more than 1,000."""


class ClickHouseTables:
    """`Tables` over a ClickHouse database: the set with this number, and no other that takes its
    place. The migrations make number 0.
    """

    def __init__(self, clickhouse: ClickHouse, number: int = 0) -> None:
        self._clickhouse = clickhouse
        self._mark: Final = mark(number)

    async def asked(self, windows: Sequence[Window]) -> Mapping[Series, Asked]:
        """Coverage that overlaps any of the windows."""
        found = await self._read(_ASKED, _OVERLAPS, _BY_SERIES, windows)
        return {series: _asked(rows) for series, rows in found.items()}

    async def held(
        self, table: Literal["candles", "candle_revisions"], windows: Sequence[Window]
    ) -> Mapping[Series, pa.RecordBatch]:
        """Rows whose open time lies in any of the windows."""
        columns = ", ".join(CANDLE_ROWS.names)
        sql = _HELD.replace("{table}", table).replace("{columns}", columns)
        found = await self._read(sql, _INSIDE, _BY_VERSION, windows)
        return {series: rows.cast(CANDLE_ROWS) for series, rows in found.items()}

    async def append(self, table: TableName, rows: pa.Table) -> None:
        """Add rows."""
        if table in MARKED:
            rows = rows.append_column(self._mark, pa.nulls(rows.num_rows, pa.uint8()).fill_null(0))
        await self._clickhouse.insert_arrow(table, rows)

    async def _read(
        self, sql: str, condition: str, order: Sequence[str], windows: Sequence[Window]
    ) -> dict[Series, pa.RecordBatch]:
        groups = _grouped(_merged(windows))
        if not groups:
            return {}
        sql = sql.replace("{order}", ", ".join(order))
        parts = [groups[at : at + _GROUPS] for at in range(0, len(groups), _GROUPS)]
        first, *others = await asyncio.gather(
            *(self._read_part(sql, condition, part) for part in parts)
        )
        if others:
            ordered = [(name, "ascending") for name in order]
            first = pa.concat_tables([first, *others]).sort_by(ordered)
        return _by_series(first)

    async def _read_part(self, sql: str, condition: str, groups: "Sequence[Group]") -> pa.Table:
        wanted = " OR ".join(condition.format(n=number) for number in range(len(groups)))
        return await self._clickhouse.query_arrow(
            sql.replace("{wanted}", wanted), **_parameters(groups)
        )


Group = tuple[tuple[str, str, int, int], list[str]]
"""Exchange, timeframe, start and end, with the symbols for which that range is wanted."""


def _merged(windows: Iterable[Window]) -> list[Window]:
    merged: list[Window] = []
    for window in sorted(windows, key=lambda item: (item.series, item.start)):
        last = merged[-1] if merged else None
        if last is not None and last.series == window.series and window.start <= last.end:
            merged[-1] = Window(last.series, last.start, max(last.end, window.end))
        else:
            merged.append(window)
    return merged


def _grouped(windows: Sequence[Window]) -> list[Group]:
    groups: dict[tuple[str, str, int, int], list[str]] = defaultdict(list)
    for window in windows:
        series = window.series
        groups[series.exchange, series.timeframe, window.start, window.end].append(series.symbol)
    return list(groups.items())


def _parameters(groups: Sequence[Group]) -> dict[str, object]:
    parameters: dict[str, object] = {}
    for number, ((exchange, timeframe, start, end), symbols) in enumerate(groups):
        parameters |= {
            f"exchange{number}": exchange,
            f"timeframe{number}": timeframe,
            f"symbols{number}": symbols,
            f"start{number}": start,
            f"end{number}": end,
        }
    return parameters


def _asked(rows: pa.RecordBatch) -> Asked:
    times = (rows.column(name).cast(pa.int64()) for name in ("start", "end", "observed_at"))
    return Asked(*(column.to_numpy() for column in times))


def _by_series(table: pa.Table) -> dict[Series, pa.RecordBatch]:
    """Cut rows that are ordered by series into one batch for each."""
    found: dict[Series, pa.RecordBatch] = {}
    if not table.num_rows:
        return found
    (rows,) = table.combine_chunks().to_batches()
    names = [rows.column(name) for name in _BY_SERIES]
    codes = np.stack([name.dictionary_encode().indices.to_numpy() for name in names])
    differs = (codes[:, 1:] != codes[:, :-1]).any(axis=0)
    cuts = [0, *(np.flatnonzero(differs) + 1).tolist(), rows.num_rows]
    for start, end in pairwise(cuts):
        series = Series(*(name[start].as_py() for name in names))
        found[series] = rows.slice(start, end - start)
    return found
