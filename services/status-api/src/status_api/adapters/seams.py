"""Where files of an archive meet what the venue answered, from ClickHouse."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from candlelog.market.ranges import TimeRange, merge
from candlelog.market.series import Series
from candlelog.stores.clickhouse import ClickHouse
from status_api.domain.seams import Difference, Prices, Seam, seams

_NAMES: Final = "exchange, symbol, timeframe"
_JOINED: Final = f"""
SELECT DISTINCT {_NAMES} FROM coverage
WHERE source = 'archive'
    AND ({{exchange:String}} = '' OR exchange = {{exchange:String}})
    AND ({{symbol:String}} = '' OR symbol = {{symbol:String}})
    AND ({{timeframe:String}} = '' OR timeframe = {{timeframe:String}})
    AND ({_NAMES}) IN (SELECT {_NAMES} FROM coverage WHERE source = 'rest')
    AND ({_NAMES})
        > ({{after_exchange:String}}, {{after_symbol:String}}, {{after_timeframe:String}})
ORDER BY {_NAMES} LIMIT {{limit:UInt32}}
"""  # noqa: S608 -- put together from constants
_OF_SERIES: Final = f"({_NAMES}) IN {{series:Array(Tuple(String, String, String))}}"
_BOTH_WAYS: Final = f"""
SELECT {_NAMES}, at, after FROM (
    SELECT {_NAMES}, at,
        sum(sum(if(source = 'archive', change, 0))) OVER so_far AS by_archive,
        sum(sum(if(source = 'rest', change, 0))) OVER so_far AS by_venue,
        leadInFrame(at) OVER (
            PARTITION BY {_NAMES} ORDER BY at
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS after
    FROM (
        SELECT {_NAMES}, source, edge.1 AS at, edge.2 AS change
        FROM coverage ARRAY JOIN [(start, 1), (end, -1)] AS edge
        WHERE {_OF_SERIES} AND outcome != 'unlisted'
    )
    GROUP BY {_NAMES}, at
    WINDOW so_far AS (PARTITION BY {_NAMES} ORDER BY at)
)
WHERE by_archive > 0 AND by_venue > 0
"""  # noqa: S608 -- the same
_VERSIONS: Final = f"""
SELECT {_NAMES}, open_time, observed_at, (open, high, low, close, volume) AS told
FROM candle_revisions WHERE {_OF_SERIES}
UNION ALL
SELECT {_NAMES}, open_time, observed_at, (open, high, low, close, volume) AS told
FROM candles_latest WHERE {_OF_SERIES}
    AND ({_NAMES}, open_time) IN (
        SELECT {_NAMES}, open_time FROM candle_revisions WHERE {_OF_SERIES}
    )
"""  # noqa: S608 -- the same
_READ_AT: Final = """
arrayMax(arrayMap(
    one -> if(one.1 <= open_time AND open_time < one.2, one.3, toDateTime64(0, 3, 'UTC')), {}
))"""
_DIFFERING: Final = f"""
SELECT {_NAMES}, open_time,
    argMaxIf(told, observed_at, observed_at <= by_archive) AS archive,
    argMaxIf(told, observed_at, observed_at <= by_venue) AS venue
FROM (
    SELECT *, {_READ_AT.format("archives")} AS by_archive, {_READ_AT.format("venues")} AS by_venue
    FROM ({_VERSIONS}) AS versions INNER JOIN (
        SELECT {_NAMES},
            groupArrayIf((start, end, observed_at), source = 'archive') AS archives,
            groupArrayIf((start, end, observed_at), source = 'rest') AS venues
        FROM coverage WHERE {_OF_SERIES} AND outcome != 'unlisted' GROUP BY {_NAMES}
    ) AS answers USING ({_NAMES})
)
GROUP BY {_NAMES}, open_time
HAVING countIf(observed_at <= by_archive) > 0 AND countIf(observed_at <= by_venue) > 0
    AND archive != venue
ORDER BY {_NAMES}, open_time
"""  # noqa: S608 -- the same
"""What an answer says that was believed anyway leaves no trace: so what was told last, by files and
by the venue, is what was believed when each was read last. A slot that always held the same value
has no revision, and cannot differ."""

Names = tuple[str, str, str]
"""Exchange, symbol and timeframe."""


class Seams:
    """Every method may raise `Unavailable`."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def series(self, wanted: dict[str, str], after: Names, limit: int) -> Sequence[Series]:
        """Series that were read from files and asked of their venue, by name, behind `after`."""
        rows = await self._clickhouse.query(
            _JOINED,
            **wanted,
            after_exchange=after[0],
            after_symbol=after[1],
            after_timeframe=after[2],
            limit=limit,
        )
        return [Series(*row) for row in rows]

    async def of(self, series: Sequence[Series]) -> list[Seam]:
        """The seams of these, in order."""
        if not series:
            return []
        names = [(each.exchange, each.symbol, each.timeframe) for each in series]
        runs: dict[Series, list[TimeRange]] = defaultdict(list)
        for *name, start, end in await self._clickhouse.query(_BOTH_WAYS, series=names):
            runs[Series(*name)].append(TimeRange(start, end))
        differing: dict[Series, list[Difference]] = defaultdict(list)
        for *name, time, archive, venue in await self._clickhouse.query(_DIFFERING, series=names):
            differing[Series(*name)].append(_difference(time, archive, venue))
        return [seam for each in series for seam in seams(each, merge(runs[each]), differing[each])]


def _difference(time: datetime, archive: Sequence[float], venue: Sequence[float]) -> Difference:
    return Difference(time, Prices(*archive), Prices(*venue))
