"""The tables of features in ClickHouse."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import pyarrow as pa

from candlelog.clock import Clock
from candlelog.events.features import KEY_COLUMNS, is_feature_name
from candlelog.market.series import Series
from candlelog.market.timeframe import milliseconds
from candlelog.stores.clickhouse import ClickHouse
from clickhouse_sink.domain.builds import Build, Note, State

_COLUMNS: Final = """
SELECT name FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} ORDER BY position
"""
_BUILDS: Final = """
SELECT exchange, symbol, timeframe, feature_set, version, build, state FROM feature_builds FINAL
WHERE (exchange, symbol, timeframe) IN {series:Array(Tuple(String, String, String))}
"""
_VIEW: Final = """
CREATE OR REPLACE VIEW features_latest AS
SELECT exchange, symbol, timeframe, open_time, feature_set, version, {features}
FROM features FINAL
WHERE (exchange, symbol, timeframe, feature_set, version, build) IN (
    SELECT exchange, symbol, timeframe, feature_set, version, build
    FROM feature_builds FINAL WHERE state = 'serving'
)
"""
_TIME_BITS: Final = 44
"""Milliseconds since the epoch, up to the year 2527: `changed` orders by number, then by time."""


class ClickHouseFeatureTables:
    """`FeatureTables` over a ClickHouse database that was migrated."""

    def __init__(self, clickhouse: ClickHouse, clock: Clock) -> None:
        self._clickhouse = clickhouse
        self._clock = clock
        self._columns: frozenset[str] = frozenset()
        self._widening = asyncio.Lock()

    async def builds(self, series: Collection[Series]) -> dict[Build, State]:
        """What stands in `feature_builds` of these series."""
        if not series:
            return {}
        names = [(each.exchange, each.symbol, each.timeframe) for each in series]
        rows = await self._clickhouse.query(_BUILDS, series=names)
        return {Build(Series(*row[:3]), *row[3:6]): row[6] for row in rows}

    async def note(self, notes: Mapping[Build, Note]) -> None:
        """Write these states in one insert, which is one part: seen or not."""
        rows = [
            {
                "exchange": build.series.exchange,
                "symbol": build.series.symbol,
                "timeframe": build.series.timeframe,
                "feature_set": build.feature_set,
                "version": build.version,
                "build": build.build,
                "state": note.state,
                "changed": (note.number << _TIME_BITS) + milliseconds(self._clock.now()),
            }
            for build, note in notes.items()
        ]
        await self._clickhouse.insert_arrow("feature_builds", pa.Table.from_pylist(rows))

    async def append_features(self, rows: pa.Table) -> None:
        """Add rows; features that are new become columns first."""
        names = rows.schema.names
        if not self._columns.issuperset(names):
            async with self._widening:
                await self._widen(names)
        await self._clickhouse.insert_arrow("features", rows)

    async def _widen(self, names: Sequence[str]) -> None:
        known = await self._names("features")
        for name in names:
            if name not in known:
                assert is_feature_name(name)  # it stands in the statement as it is
                await self._clickhouse.command(
                    f"ALTER TABLE features ADD COLUMN IF NOT EXISTS `{name}` Nullable(Float64)"
                    " CODEC(Delta, LZ4)"
                )
        self._columns = frozenset(await self._show_all())

    async def _show_all(self) -> list[str]:
        """Have the view show every feature; another sink may be adding columns at the same time."""
        while True:
            names = await self._names("features")
            shown = [name for name in names if name not in KEY_COLUMNS]
            if set(shown) <= set(await self._names("features_latest")):
                return names
            await self._clickhouse.command(
                _VIEW.format(features=", ".join(f"`{name}`" for name in shown))
            )

    async def _names(self, table: str) -> list[str]:
        return [row[0] for row in await self._clickhouse.query(_COLUMNS, table=table)]
