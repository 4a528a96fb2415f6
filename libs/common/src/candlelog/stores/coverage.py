"""Which slots need not be asked for again, from the table `coverage`."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from candlelog.stores.clickhouse import ClickHouse

SETTLED_UNTIL: Final = "least(end, observed_at - toIntervalSecond({settle_seconds:UInt32}))"
"""How far a row of coverage reaches: no further than the candles that had been closed for the
settle delay when it was read; later ones were provisional."""

EXPLAINED_RUNS: Final = f"""
SELECT symbol, timeframe, min(start), max(finish) FROM (
    SELECT symbol, timeframe, start, finish,
        sum(detached) OVER (PARTITION BY symbol, timeframe ORDER BY start, finish) AS run
    FROM (
        SELECT symbol, timeframe, start, finish,
            start > max(finish) OVER (
                PARTITION BY symbol, timeframe ORDER BY start, finish
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS detached
        FROM (
            SELECT symbol, timeframe, start,
                {SETTLED_UNTIL} AS finish
            FROM coverage
            WHERE exchange = {{exchange:String}}
                AND symbol IN {{symbols:Array(String)}}
                AND timeframe IN {{timeframes:Array(String)}}
                AND start < {{end:DateTime64(3, 'UTC')}} AND end > {{start:DateTime64(3, 'UTC')}}
                AND start < finish
        )
    )
)
GROUP BY symbol, timeframe, run
ORDER BY symbol, timeframe, min(start)
"""  # noqa: S608 -- put together from constants
"""Coverage rows, as far as they reach, merged into runs where they overlap or touch."""


async def explained_ranges(
    clickhouse: ClickHouse,
    *,
    exchange: str,
    symbols: Sequence[str],
    timeframes: Sequence[str],
    window: TimeRange,
    settle_delay: timedelta,
) -> dict[Series, list[TimeRange]]:
    """What coverage explains of the series, near `window`: ranges on the grid, apart, in order.

    A slot is explained when a coverage row holds it that was observed no earlier than its close
    plus `settle_delay`. Ranges are not cut to the window; a series without any is left out.
    One query, whatever the number of series. Raises `Unavailable`.
    """
    rows = await clickhouse.query(
        EXPLAINED_RUNS,
        exchange=exchange,
        symbols=list(symbols),
        timeframes=list(timeframes),
        start=window.start,
        end=window.end,
        settle_seconds=int(settle_delay.total_seconds()),
    )
    grids = {name: Timeframe.parse(name) for name in timeframes}
    explained: dict[Series, list[TimeRange]] = defaultdict(list)
    for symbol, timeframe, start, finish in rows:
        end = grids[timeframe].floor(finish)
        if start < end:
            explained[Series(exchange, symbol, timeframe)].append(TimeRange(start, end))
    return dict(explained)
