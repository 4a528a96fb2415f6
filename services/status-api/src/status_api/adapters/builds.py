"""Builds of features: which there are, and what is stored of them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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
_BUILDS: Final = f"""
SELECT symbol, timeframe, version, build, state FROM feature_builds FINAL
WHERE {_OF_SERIES} AND feature_set = {{feature_set:String}}
ORDER BY version, build
"""  # noqa: S608 -- the same
_COLUMNS: Final = """
SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'features'
"""

States = Mapping[tuple[int, int], str]
"""What is noted of builds, by version and number: serving, beside or closed."""


class Builds:
    """What ClickHouse holds of builds. Every method may raise `Unavailable`."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self._columns: frozenset[str] = frozenset()

    async def states(self, series: Sequence[Series], feature_set: str) -> Mapping[Series, States]:
        """The builds of a set that each of these series, of one exchange, has; by version."""
        found: defaultdict[Series, dict[tuple[int, int], str]] = defaultdict(dict)
        rows = await self._clickhouse.query(_BUILDS, **_names(series), feature_set=feature_set)
        for symbol, timeframe, version, build, state in rows:
            found[Series(series[0].exchange, symbol, timeframe)][version, build] = state
        return found

    async def readable(
        self, series: Series, feature_set: str, version: int | None
    ) -> FeatureBuildRef | None:
        """The build that is served; of a certain version the newest, unless it serves."""
        states = (await self.states([series], feature_set)).get(series, {})
        wanted = {"serving"} if version is None else {"serving", "beside"}
        known = [
            build
            for build, state in states.items()
            if state in wanted and version in {None, build[0]}
        ]
        if not known:
            return None
        chosen = max(known, key=lambda build: (states[build] == "serving", build))
        return FeatureBuildRef(version=chosen[0], build=chosen[1])

    async def columns(self, wanted: Iterable[str]) -> Collection[str]:
        """The columns of the table, as far as is needed to tell which of `wanted` it has."""
        if not self._columns.issuperset(wanted):
            rows = await self._clickhouse.query(_COLUMNS)
            self._columns = frozenset(name for (name,) in rows)
        return self._columns

    async def candles(self, series: Sequence[Series], bounds: Bounds) -> Mapping[Series, int]:
        """How many candles each of these series, of one exchange, has within the bounds."""
        rows = await self._clickhouse.query(
            _CANDLES, **_names(series), start=bounds[0], end=bounds[1]
        )
        return {Series(series[0].exchange, *row[:2]): row[2] for row in rows}


def _names(series: Sequence[Series]) -> dict[str, object]:
    return {
        "exchange": series[0].exchange,
        "symbols": sorted({each.symbol for each in series}),
        "timeframes": sorted({each.timeframe for each in series}),
    }
