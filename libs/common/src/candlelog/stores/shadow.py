"""The shadow of the tables of candles, which the sink keeps, beside the live tables."""

from typing import Any, Final

from candlelog.market.comparison import Comparison, Difference
from candlelog.market.series import Series
from candlelog.stores.clickhouse import ClickHouse

SHADOW: Final = "_shadow"
"""What is added to the name of the database where a shadow of its tables lies."""

_VALUES: Final = ("open", "high", "low", "close", "volume", "quote_volume", "trades")
_AT_ONCE: Final = 20
"""Series that are compared slot by slot in one statement: millions of rows at most."""

_FINGERPRINTS: Final = """
SELECT exchange, symbol, timeframe, countIf(live), countIf(NOT live),
    sumIf(print, live) = sumIf(print, NOT live)
FROM (
    SELECT exchange, symbol, timeframe, {print} AS print, true AS live
    FROM candles FINAL WHERE {wanted}
    UNION ALL
    SELECT exchange, symbol, timeframe, {print} AS print, false AS live
    FROM {shadow}.candles FINAL WHERE {wanted}
)
GROUP BY exchange, symbol, timeframe
"""
_SLOTS: Final = """
SELECT exchange, symbol, timeframe, countIf(NOT differs), countIf(lives AND shadows AND differs),
    countIf(NOT shadows), countIf(NOT lives), minIf(open_time, differs), maxIf(open_time, differs),
    {largest}
FROM (
    SELECT exchange, symbol, timeframe, open_time,
        countIf(live) AS lives, countIf(NOT live) AS shadows, {ranges},
        lives != shadows OR {any_differs} AS differs
    FROM (
        SELECT *, true AS live FROM candles FINAL WHERE {wanted}
        UNION ALL
        SELECT *, false AS live FROM {shadow}.candles FINAL WHERE {wanted}
    )
    GROUP BY exchange, symbol, timeframe, open_time
)
GROUP BY exchange, symbol, timeframe
"""
_IS_THERE: Final = """
SELECT count() FROM system.tables WHERE database = {shadow:String} AND name = 'candles'
"""
_OF_EXCHANGE: Final = "{exchange:String} IN ('', exchange)"
_OF_SERIES: Final = "(exchange, symbol, timeframe) IN {series:Array(Tuple(String, String, String))}"


async def compare(clickhouse: ClickHouse, exchange: str = "") -> Comparison | None:
    """Compare the shadow with the live tables as they are now, of all exchanges or of one; None
    when there is no shadow.

    Only the values count: of equal ones it does not matter when they were read. A series is first
    compared as a whole, by a sum over hashes of its rows; slot by slot only where that differs.
    Raises `Unavailable`.
    """
    shadow = clickhouse.database + SHADOW
    if await clickhouse.query(_IS_THERE, shadow=shadow) == [(0,)]:
        return None
    prints = await clickhouse.query(
        _sql(clickhouse, _FINGERPRINTS, _OF_EXCHANGE), exchange=exchange
    )
    other = [row[:3] for row in prints if row[3] != row[4] or not row[5]]
    differing = set(other)
    equal = sum(row[3] for row in prints if row[:3] not in differing)
    found: list[Difference] = []
    sql = _sql(clickhouse, _SLOTS, _OF_SERIES)
    for at in range(0, len(other), _AT_ONCE):
        rows = await clickhouse.query(sql, series=other[at : at + _AT_ONCE])
        found += [_difference(row) for row in rows]
    return Comparison(
        series=len(prints),
        equal=equal + sum(each.equal for each in found),
        differences=sorted(found, key=lambda each: (-each.slots, each.series)),
    )


def _difference(row: tuple[Any, ...]) -> Difference:
    largest = {
        name: change for name, change in zip(_VALUES, row[9:], strict=True) if change is not None
    }
    return Difference(Series(*row[:3]), *row[3:9], largest=largest)


def _sql(clickhouse: ClickHouse, sql: str, wanted: str) -> str:
    lacking = {"quote_volume": "ifNull(quote_volume, -1)", "trades": "ifNull(toInt64(trades), -1)"}
    values = ", ".join(lacking.get(name, name) for name in _VALUES)
    parts = {
        "print": f"cityHash64(open_time, {values})",
        "shadow": clickhouse.database + SHADOW,
        "wanted": wanted,
        "ranges": ", ".join(_range(name) for name in _VALUES),
        "any_differs": " OR ".join(f"{name}_differs" for name in _VALUES),
        "largest": ", ".join(
            f"maxIf({name}_change, {name}_differs AND lives AND shadows)" for name in _VALUES
        ),
    }
    for name, text in parts.items():
        sql = sql.replace(f"{{{name}}}", text)
    return sql


def _range(name: str) -> str:
    """Of one slot: whether the two values differ, and by which share of the larger one."""
    low, high = f"min({name})", f"max({name})"
    return (
        f"count({name}) NOT IN (0, count()) OR ifNull({low} != {high}, false) AS {name}_differs,"
        f" toFloat64(ifNull({high} - {low}, 0))"
        f" / greatest(abs(toFloat64(ifNull({high}, 0))), abs(toFloat64(ifNull({low}, 0))), 1e-300)"
        f" AS {name}_change"
    )
