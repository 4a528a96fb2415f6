"""Candles and builds of features, as a replay needs to know them."""

from collections.abc import Mapping, Sequence
from typing import Final

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.market.series import Series
from candlelog.stores.clickhouse import ClickHouse
from status_api.domain.windows import Bounds

_OF_SERIES: Final = """
exchange = {exchange:String}
    AND symbol IN {symbols:Array(String)} AND timeframe IN {timeframes:Array(String)}
"""
_CANDLES: Final = f"""
SELECT symbol, timeframe, count() FROM candles FINAL
WHERE {_OF_SERIES}
    AND open_time >= fromUnixTimestamp64Milli({{start:Int64}}, 'UTC')
    AND open_time < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC')
GROUP BY symbol, timeframe
"""  # noqa: S608 -- put together from constants
_SERVED: Final = f"""
SELECT symbol, timeframe, version, build FROM feature_builds FINAL
WHERE {_OF_SERIES} AND feature_set = {{feature_set:String}} AND state = 'serving'
"""  # noqa: S608 -- the same


class ReplayReader:
    """What ClickHouse holds for replays. Every method may raise `Unavailable`."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def candles(self, series: Sequence[Series], bounds: Bounds) -> Mapping[Series, int]:
        """How many candles each of these series, of one exchange, has within the bounds."""
        rows = await self._clickhouse.query(
            _CANDLES, **_names(series), start=bounds[0], end=bounds[1]
        )
        return {Series(series[0].exchange, *row[:2]): row[2] for row in rows}

    async def served(
        self, series: Sequence[Series], feature_set: str
    ) -> Mapping[Series, FeatureBuildRef]:
        """The build of the set that is served of each of these series, of one exchange."""
        rows = await self._clickhouse.query(_SERVED, **_names(series), feature_set=feature_set)
        return {
            Series(series[0].exchange, *row[:2]): FeatureBuildRef(version=row[2], build=row[3])
            for row in rows
        }


def _names(series: Sequence[Series]) -> dict[str, object]:
    return {
        "exchange": series[0].exchange,
        "symbols": sorted({each.symbol for each in series}),
        "timeframes": sorted({each.timeframe for each in series}),
    }
