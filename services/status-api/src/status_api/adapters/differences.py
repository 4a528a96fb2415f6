"""What two builds of features of a series differ in."""

from collections.abc import Sequence
from typing import Any, Final

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from candlelog.stores.clickhouse import ClickHouse
from status_api.domain.differences import NOTHING, RowDifference
from status_api.domain.windows import Bounds, overlap

_ROWS_AT_ONCE: Final = 500_000
_MONTH_MS: Final = 31 * 86_400_000

_OF_BUILDS: Final = """
exchange = {exchange:String} AND symbol = {symbol:String} AND timeframe = {timeframe:String}
    AND feature_set = {feature_set:String}
    AND (version, build) IN (
        ({old_version:UInt32}, {old_build:UInt32}), ({new_version:UInt32}, {new_build:UInt32})
    )
"""
_EXTENT: Final = f"""
SELECT count(), toUnixTimestamp64Milli(min(open_time)), toUnixTimestamp64Milli(max(open_time)) + 1
FROM features WHERE {_OF_BUILDS}
"""  # noqa: S608 -- put together from constants


class Differences:
    """Compares rows where they are stored."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def between(
        self,
        series: Series,
        feature_set: str,
        *,
        builds: tuple[FeatureBuildRef, FeatureBuildRef],
        columns: Sequence[str],
        bounds: Bounds,
    ) -> RowDifference:
        """Rows of the old and the new one of the builds with open times within `bounds`, compared
        in these columns; piece by piece, so that it takes no more memory where there are more.
        Raises `Unavailable`.
        """
        names = _names(series, feature_set, builds)
        ((count, first, last),) = await self._clickhouse.query(_EXTENT, **names)
        found = NOTHING
        start, end = overlap((first, last), bounds) if count else (0, 0)
        step = _step(series) * _ROWS_AT_ONCE
        sql = _statement(columns)
        while start < end:
            piece = {"start": start, "end": min(start + step, end)}
            ((*rows, changed, largest),) = await self._clickhouse.query(sql, **names, **piece)
            compared, equal, only_old, only_new = rows
            found += RowDifference(
                compared, equal, only_old, only_new, tuple(changed), tuple(largest)
            )
            start += step
        return found


def _statement(columns: Sequence[str]) -> str:
    """Rows in both builds, equal ones, those in the old alone and in the new alone; then by
    column the rows that differ, and the largest of their relative differences.

    Numbers differ from a billionth of the largest of their column on (`largest`).
    """
    olds = [f"anyIf(`{name}`, old) AS a{at}" for at, name in enumerate(columns)]
    news = [f"anyIf(`{name}`, NOT old) AS b{at}" for at, name in enumerate(columns)]
    largest = ", ".join(f"ifNull(max(abs(`{name}`)), 0)" for name in columns)
    flags = ", ".join(map(_differs, range(len(columns))))
    shares = ", ".join(map(_share, range(len(columns))))
    return f"""
WITH (SELECT [toFloat64(0), {largest}] FROM features FINAL WHERE {_OF_BUILDS}
      AND open_time >= fromUnixTimestamp64Milli({{start:Int64}}, 'UTC')
      AND open_time < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC')) AS largest
SELECT
    countIf(in_old AND in_new),
    countIf(in_old AND in_new AND NOT has(flags, 1)),
    countIf(NOT in_new),
    countIf(NOT in_old),
    sumForEach(flags),
    maxForEach(arrayMap((flag, share) -> if(flag, share, 0.), flags, shares))
FROM (
    SELECT in_old, in_new,
        CAST([{flags}] AS Array(UInt8)) AS flags, CAST([{shares}] AS Array(Float64)) AS shares
    FROM (
        SELECT open_time, max(old) AS in_old, max(NOT old) AS in_new
            {"".join(f", {each}" for each in (*olds, *news))}
        FROM (
            SELECT *, (version, build) = ({{old_version:UInt32}}, {{old_build:UInt32}}) AS old
            FROM features FINAL
            WHERE {_OF_BUILDS}
                AND open_time >= fromUnixTimestamp64Milli({{start:Int64}}, 'UTC')
                AND open_time < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC')
        )
        GROUP BY open_time
    )
)
"""  # noqa: S608 -- put together from constants and from names of features, which are plain


def _differs(at: int) -> str:
    unlike = f"isNull(a{at}) != isNull(b{at})"
    apart = f"ifNull(abs(a{at} - b{at}) > 1e-9 * largest[{at + 2}], 0)"
    return f"in_old AND in_new AND ({unlike} OR {apart})"


def _share(at: int) -> str:
    return f"ifNull(abs(a{at} - b{at}) / nullIf(greatest(abs(a{at}), abs(b{at})), 0), 0)"


def _names(
    series: Series, feature_set: str, builds: tuple[FeatureBuildRef, FeatureBuildRef]
) -> dict[str, Any]:
    old, new = builds
    return {
        "exchange": series.exchange,
        "symbol": series.symbol,
        "timeframe": series.timeframe,
        "feature_set": feature_set,
        "old_version": old.version,
        "old_build": old.build,
        "new_version": new.version,
        "new_build": new.build,
    }


def _step(series: Series) -> int:
    """Milliseconds between two slots, at most."""
    duration = Timeframe.parse(series.timeframe).duration
    return _MONTH_MS if duration is None else int(duration.total_seconds() * 1000)
