"""Candles and builds of features as ClickHouse has them."""

from collections.abc import Mapping, Sequence
from typing import Final

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.gathering import gather
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe, milliseconds
from candlelog.stores.clickhouse import ClickHouse
from coordinator.domain.replays import slots_between

_OF_SERIES: Final = """
exchange = {exchange:String}
    AND symbol IN {symbols:Array(String)} AND timeframe IN {timeframes:Array(String)}
"""
_CANDLES: Final = f"""
SELECT symbol, timeframe, min(open_time), max(open_time) FROM candles
WHERE {_OF_SERIES}
    AND open_time >= fromUnixTimestamp64Milli({{start:Int64}}, 'UTC')
    AND open_time < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC')
GROUP BY symbol, timeframe
"""  # noqa: S608 -- put together from constants
_SERVED: Final = f"""
SELECT symbol, timeframe, version, build FROM feature_builds FINAL
WHERE {_OF_SERIES} AND feature_set = {{feature_set:String}} AND state = 'serving'
"""  # noqa: S608 -- the same
_OF_ONE: Final = """
exchange = {exchange:String} AND symbol = {symbol:String} AND timeframe = {timeframe:String}
"""
_OF_BUILD: Final = f"""
{_OF_ONE} AND feature_set = {{feature_set:String}}
"""
_LOST: Final = f"""
SELECT count() FROM features FINAL
WHERE {_OF_BUILD} AND version = {{version:UInt32}} AND build = {{build:UInt32}}
    AND open_time IN (SELECT open_time FROM candles WHERE {_OF_ONE})
    AND open_time NOT IN (
        SELECT open_time FROM features
        WHERE {_OF_BUILD}
            AND version = {{other_version:UInt32}} AND build = {{other_build:UInt32}}
    )
"""  # noqa: S608 -- the same


class ClickHouseStock:
    """Reads `candles`, `features` and `feature_builds`, which the sink writes."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def candles(
        self, series: Sequence[Series], window: TimeRange
    ) -> Mapping[Series, TimeRange]:
        """One query, whatever the number of series; see `coordinator.ports.Stock`."""
        rows = await self._clickhouse.query(
            _CANDLES,
            **_names(series),
            start=milliseconds(window.start),
            end=milliseconds(window.end),
        )
        return {
            Series(series[0].exchange, symbol, timeframe): slots_between(
                Timeframe.parse(timeframe), first, last
            )
            for symbol, timeframe, first, last in rows
        }

    async def served(
        self, series: Sequence[Series], feature_set: str
    ) -> Mapping[Series, FeatureBuildRef]:
        """One query, whatever the number of series; see `coordinator.ports.Stock`."""
        rows = await self._clickhouse.query(_SERVED, **_names(series), feature_set=feature_set)
        return {
            Series(series[0].exchange, *row[:2]): FeatureBuildRef(version=row[2], build=row[3])
            for row in rows
        }

    async def lost(
        self,
        feature_set: str,
        exchanged: Mapping[Series, tuple[FeatureBuildRef, FeatureBuildRef]],
    ) -> int:
        """A query a series, side by side; see `coordinator.ports.Stock`."""
        counts = await gather(
            self._clickhouse.query(
                _LOST,
                exchange=series.exchange,
                symbol=series.symbol,
                timeframe=series.timeframe,
                feature_set=feature_set,
                version=old.version,
                build=old.build,
                other_version=new.version,
                other_build=new.build,
            )
            for series, (old, new) in exchanged.items()
        )
        return sum(rows[0][0] for rows in counts)


def _names(series: Sequence[Series]) -> dict[str, object]:
    return {
        "exchange": series[0].exchange,
        "symbols": sorted({each.symbol for each in series}),
        "timeframes": sorted({each.timeframe for each in series}),
    }
