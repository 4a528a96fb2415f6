"""What is stored, read from ClickHouse."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.fields import EARLIEST, LATEST
from candlelog.market.candles import Columns
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe, milliseconds
from candlelog.stores.clickhouse import ClickHouse
from featurizer.domain.requests import Build

_BUILDS: Final = """
SELECT exchange, symbol, timeframe, feature_set, version, build FROM feature_builds FINAL
WHERE (exchange, symbol, timeframe) IN {series:Array(Tuple(String, String, String))}
    AND state != 'closed'
ORDER BY ALL
"""
_CANDLES: Final = """
SELECT toUnixTimestamp64Milli(open_time) AS open_ms, open, high, low, close, volume
FROM candles FINAL
WHERE exchange = {exchange:String} AND symbol = {symbol:String} AND timeframe = {timeframe:String}
    AND open_time >= fromUnixTimestamp64Milli({start:Int64})
    AND open_time < fromUnixTimestamp64Milli({end:Int64})
ORDER BY open_time
"""
_ENDS: Final = """
SELECT toUnixTimestamp64Milli(min(open_time)), toUnixTimestamp64Milli(max(open_time)) FROM candles
WHERE exchange = {exchange:String} AND symbol = {symbol:String} AND timeframe = {timeframe:String}
HAVING count() > 0
"""
_NEXT: Final = """
SELECT toUnixTimestamp64Milli(open_time) FROM candles
WHERE exchange = {exchange:String} AND symbol = {symbol:String} AND timeframe = {timeframe:String}
    AND open_time >= fromUnixTimestamp64Milli({time:Int64})
ORDER BY open_time LIMIT 1
"""
_LAST_BEFORE: Final = """
SELECT toUnixTimestamp64Milli(open_time) FROM candles
WHERE exchange = {exchange:String} AND symbol = {symbol:String} AND timeframe = {timeframe:String}
    AND open_time < fromUnixTimestamp64Milli({time:Int64})
ORDER BY open_time DESC LIMIT 1
"""
_ROOM: Final = 1.1
"""How much further than a series without a hole would need is read at first."""
_WIDER: Final = 4
"""How much further every time that was not enough."""
_FIRST, _LAST = milliseconds(EARLIEST), milliseconds(LATEST)
_MONTH_MS: Final = 31 * 86_400_000


class ClickHouseStored:
    """`Stored` over the tables of the sink."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def builds(self, series: Collection[Series]) -> Mapping[Series, Sequence[Build]]:
        """The builds that are to be kept up."""
        if not series:
            return {}
        names = [(each.exchange, each.symbol, each.timeframe) for each in series]
        found: defaultdict[Series, list[Build]] = defaultdict(list)
        for row in await self._clickhouse.query(_BUILDS, series=names):
            ref = FeatureSetRef(name=row[3], version=row[4])
            found[Series(*row[:3])].append(Build(ref, row[5]))
        return found

    async def candles(self, series: Series, start: int, *, before: int, most: int) -> Columns:
        """The candles, from one read of a stretch that is wide enough to hold them."""
        all_of_it, last = start <= _FIRST, _LAST
        if all_of_it:  # read from where that begins
            start, last = await self._ends(series)
        step = _step(series) * _ROOM
        low, high = int(start - before * step), int(start + most * step)
        wider = 1
        while True:
            columns = await self._read(series, low, high)
            first = int(np.searchsorted(columns.open_time, start))
            more = len(columns.open_time) - first
            preceded = low > _FIRST and not all_of_it
            older, newer = await asyncio.gather(
                self._one(
                    series,
                    _LAST_BEFORE,
                    low,
                    wanted=first < before and preceded,
                ),
                self._one(series, _NEXT, high, wanted=more < most and high <= last),
            )
            if older is None and newer is None:
                return columns.part(max(0, first - before), first + most)
            wider *= _WIDER
            low = low if older is None else int(older - before * step * wider)
            high = high if newer is None else int(newer + most * step * wider)

    async def _read(self, series: Series, low: int, high: int) -> Columns:
        table = await self._clickhouse.query_arrow(
            _CANDLES, **_names(series), start=max(_FIRST, low), end=min(_LAST, high)
        )
        return _columns(table)

    async def _ends(self, series: Series) -> tuple[int, int]:
        """Open times of its first candle and of its last; the earliest there can be without one."""
        rows = await self._clickhouse.query(_ENDS, **_names(series))
        return rows[0] if rows else (_FIRST, _FIRST)

    async def _one(self, series: Series, sql: str, time: int, *, wanted: bool) -> int | None:
        if not wanted:
            return None
        rows = await self._clickhouse.query(sql, **_names(series), time=time)
        return rows[0][0] if rows else None


def _columns(table: pa.Table) -> Columns:
    arrays: list[Any] = [column.to_numpy() for column in table.columns]
    return Columns(*arrays)


def _names(series: Series) -> dict[str, str]:
    return {
        "exchange": series.exchange,
        "symbol": series.symbol,
        "timeframe": series.timeframe,
    }


def _step(series: Series) -> int:
    """Milliseconds between two slots, at most."""
    duration = Timeframe.parse(series.timeframe).duration
    return _MONTH_MS if duration is None else int(duration.total_seconds() * 1000)
