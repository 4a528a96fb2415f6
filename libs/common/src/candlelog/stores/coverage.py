"""Which slots need not be asked for again, from the table `coverage`."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from candlelog.events.fields import EARLIEST
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange, subtract
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from candlelog.stores.clickhouse import ClickHouse

SETTLED_UNTIL: Final = "least(end, observed_at - toIntervalSecond({settle_seconds:UInt32}))"
"""How far a row of coverage reaches: no further than the candles that had been closed for the
settle delay when it was read; later ones were provisional."""

RECHECK_AT: Final = """observed_at + toIntervalMillisecond(greatest(86400000, least(2592000000,
    toUnixTimestamp64Milli(observed_at) - toUnixTimestamp64Milli(end))))"""
"""Until when an answer that lacks candles is relied on: as long again as its newest slot was old
when it was read, a day at least and thirty at most."""

_IS_DUE: Final = f"""
    source = 'rest' AND outcome IN ('empty', 'partial')
    AND {RECHECK_AT} <= {{now:DateTime64(3, 'UTC')}}
    AND start >= arrayElement(
        {{oldest:Array(DateTime64(3, 'UTC'))}}, indexOf({{timeframes:Array(String)}}, timeframe)
    )
"""
"""Which answers the venue may be asked for again. What a file says it says for good, and so is what
was proved of a listing; what is out of the venue's reach nobody can ask it for."""

_OF_SERIES: Final = """exchange = {exchange:String}
    AND symbol IN {symbols:Array(String)} AND timeframe IN {timeframes:Array(String)}"""

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
            WHERE {_OF_SERIES}
                AND start < {{end:DateTime64(3, 'UTC')}} AND end > {{start:DateTime64(3, 'UTC')}}
                AND start < finish AND NOT ({_IS_DUE})
        )
    )
)
GROUP BY symbol, timeframe, run
ORDER BY symbol, timeframe, min(start)
"""  # noqa: S608 -- put together from constants
"""Coverage rows, as far as they reach, merged into runs where they overlap or touch."""

REFUSED_SLOTS: Final = f"""
SELECT symbol, timeframe, open_time
FROM (
    SELECT DISTINCT symbol, timeframe, assumeNotNull(open_time) AS open_time, chunk_id, observed_at
    FROM quarantine
    WHERE {_OF_SERIES}
        AND quarantine.open_time >= {{start:DateTime64(3, 'UTC')}}
        AND quarantine.open_time < {{end:DateTime64(3, 'UTC')}}
) AS refusal
INNER JOIN (
    SELECT DISTINCT symbol, timeframe, chunk_id, observed_at, start, {SETTLED_UNTIL} AS finish
    FROM coverage
    WHERE {_OF_SERIES}
        AND start < {{end:DateTime64(3, 'UTC')}} AND end > {{start:DateTime64(3, 'UTC')}}
) AS answer USING (symbol, timeframe)
WHERE refusal.open_time >= answer.start AND refusal.open_time < answer.finish
GROUP BY symbol, timeframe, open_time
HAVING uniqExact(answer.chunk_id, answer.observed_at) = uniqExactIf(
    answer.chunk_id, answer.observed_at,
    (answer.chunk_id, answer.observed_at) = (refusal.chunk_id, refusal.observed_at)
)
"""  # noqa: S608 -- the same
"""Slots whose row was refused in every answer that holds them: nothing explains these."""


async def explained_ranges(
    clickhouse: ClickHouse,
    *,
    venue: ExchangeProfile,
    symbols: Sequence[str],
    timeframes: Sequence[str],
    window: TimeRange,
    now: datetime,
) -> dict[Series, list[TimeRange]]:
    """What coverage explains of the series, near `window`: ranges on the grid, apart, in order.

    A slot is explained when a coverage row holds it that was observed no earlier than its close
    plus the settle delay, that is not due to be asked again by `now`, and whose row for it was not
    refused. Ranges are not cut to the window; a series without any is left out. Two queries,
    whatever the number of series.
    Raises `Unavailable`.
    """
    asked = {
        "exchange": venue.name,
        "symbols": list(symbols),
        "timeframes": list(timeframes),
        "start": window.start,
        "end": window.end,
        "now": now,
        "oldest": [
            venue.oldest_within_reach(Timeframe.parse(name), now) or EARLIEST for name in timeframes
        ],
        "settle_seconds": venue.settle_delay_seconds,
    }
    runs, refused = await asyncio.gather(
        clickhouse.query(EXPLAINED_RUNS, **asked), clickhouse.query(REFUSED_SLOTS, **asked)
    )
    return await asyncio.to_thread(_explained, venue.name, runs, refused)


def _explained(
    exchange: str, runs: Sequence[tuple[Any, ...]], refused: Sequence[tuple[Any, ...]]
) -> dict[Series, list[TimeRange]]:
    """Runs without the slots whose rows were refused."""
    grids = {name: Timeframe.parse(name) for name in {row[1] for row in (*runs, *refused)}}
    holes: dict[Series, list[TimeRange]] = defaultdict(list)
    for symbol, timeframe, time in refused:
        slot = grids[timeframe].floor(time)  # a time off the grid is that of the slot it lies in
        holes[Series(exchange, symbol, timeframe)].append(
            TimeRange(slot, grids[timeframe].advance(slot, 1))
        )
    explained: dict[Series, list[TimeRange]] = defaultdict(list)
    for symbol, timeframe, start, finish in runs:
        series, end = Series(exchange, symbol, timeframe), grids[timeframe].floor(finish)
        if start < end:
            run = TimeRange(start, end)
            explained[series] += subtract(run, holes[series]) if series in holes else [run]
    return {series: ranges for series, ranges in explained.items() if ranges}
