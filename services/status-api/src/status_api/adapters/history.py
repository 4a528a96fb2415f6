"""Reading candles, features, series, coverage and quarantine from ClickHouse."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

from candlelog.events.fields import EARLIEST, LATEST
from candlelog.market.comparison import Comparison
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun
from candlelog.market.timeframe import Timeframe, from_milliseconds, milliseconds
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.shadow import compare
from candlelog.stores.slots import slot_runs
from status_api.adapters.builds import Builds
from status_api.adapters.completeness import Completeness
from status_api.adapters.differences import Differences
from status_api.adapters.seams import Seams
from status_api.adapters.series_tables import SeriesTable
from status_api.domain.runs import Asked
from status_api.domain.windows import Bounds, overlap, pieces

_MILLISECOND: Final = timedelta(milliseconds=1)

_OF_SERIES: Final = """
exchange = {exchange:String} AND symbol = {symbol:String} AND timeframe = {timeframe:String}
"""

_EXTENT: Final = f"""
SELECT count(), toUnixTimestamp64Milli(min(start)), toUnixTimestamp64Milli(max(end))
FROM coverage WHERE {_OF_SERIES}
"""  # noqa: S608 -- put together from constants

_IN_WINDOW: Final = f"""{_OF_SERIES}
    AND open_time >= fromUnixTimestamp64Milli({{start:Int64}}, 'UTC')
    AND open_time < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC')"""

_REVISIONS: Final = f"""
SELECT * EXCEPT (told, told_before, versions) FROM (
    SELECT *, count() OVER (PARTITION BY open_time) AS versions,
        leadInFrame(toNullable(observed_at)) OVER (
            PARTITION BY open_time ORDER BY observed_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS superseded_at
    FROM (
        SELECT *, (open, high, low, close, volume,
                ifNull(toString(quote_volume), ''), ifNull(toString(trades), '')) AS told,
            lagInFrame(told) OVER (PARTITION BY open_time ORDER BY observed_at) AS told_before
        FROM (
            SELECT * FROM candle_revisions WHERE {_IN_WINDOW}
            UNION DISTINCT
            SELECT * FROM candles_latest WHERE {_IN_WINDOW}
                AND open_time IN (SELECT open_time FROM candle_revisions WHERE {_IN_WINDOW})
        )
    )
    WHERE told != told_before
)
WHERE versions > 1 AND (toUnixTimestamp64Milli(open_time), toUnixTimestamp64Milli(observed_at))
    > ({{opened:Int64}}, {{observed:Int64}})
ORDER BY open_time, observed_at LIMIT {{limit:UInt32}}
"""  # noqa: S608 -- the same
"""Before the first version of a slot all prices are 0, which none is. One that says what the one
before said is no change: it only could have been seen earlier (decision 0005)."""

_KNOWN_SERIES: Final = """
SELECT exchange, symbol, timeframe FROM coverage
WHERE outcome IN ('candles', 'partial')
    AND ({exchange:String} = '' OR exchange = {exchange:String})
    AND ({symbol:String} = '' OR symbol = {symbol:String})
    AND ({timeframe:String} = '' OR timeframe = {timeframe:String})
    AND (exchange, symbol, timeframe)
        > ({after_exchange:String}, {after_symbol:String}, {after_timeframe:String})
GROUP BY exchange, symbol, timeframe ORDER BY exchange, symbol, timeframe LIMIT {limit:UInt32}
"""

_SERIES: Final = """
SELECT exchange, symbol, timeframe,
    count(), min(open_time), max(open_time), max(observed_at)
FROM candles_latest
WHERE exchange IN {exchanges:Array(String)} AND symbol IN {symbols:Array(String)}
    AND timeframe IN {timeframes:Array(String)}
GROUP BY exchange, symbol, timeframe ORDER BY exchange, symbol, timeframe
"""

_COVERAGE: Final = f"""
SELECT start, end, source, if(coverage.outcome = 'partial', 'candles', coverage.outcome) AS outcome,
    observed_at
FROM coverage
WHERE {_OF_SERIES}
    AND start < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC')
    AND end > fromUnixTimestamp64Milli({{start:Int64}}, 'UTC')
ORDER BY start, observed_at LIMIT {{limit:UInt32}}
"""  # noqa: S608 -- the same

_CANDLE_REVISION: Final = f"""
SELECT hex(sipHash128(
    (SELECT uuid FROM system.tables WHERE database = currentDatabase() AND name = 'candles'),
    arraySort(groupUniqArray((start, end, chunk_id, observed_at)))
))
FROM coverage WHERE {_OF_SERIES}
    AND start < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC')
    AND end > fromUnixTimestamp64Milli({{start:Int64}}, 'UTC')
    AND observed_at <= {{as_of:DateTime64(3, 'UTC')}}
"""  # noqa: S608 -- the same
"""Coverage is written behind the candles it is about; a set of tables that takes the place of
another has other ids."""

_QUARANTINE: Final = """
SELECT exchange, symbol, timeframe, open_time, raw, reason, source, job_id, chunk_id, observed_at,
    bitShiftRight(cityHash64(chunk_id, reason, raw), 1) AS number
FROM quarantine FINAL
WHERE ({exchange:String} = '' OR exchange = {exchange:String})
    AND ({symbol:String} = '' OR symbol = {symbol:String})
    AND ({timeframe:String} = '' OR timeframe = {timeframe:String})
    AND observed_at >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
    AND observed_at < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND (toUnixTimestamp64Milli(observed_at), number) < ({before:Int64}, {before_number:UInt64})
ORDER BY observed_at DESC, number DESC LIMIT {limit:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Window:
    """Times `[start, end)`, held to what ClickHouse can hold."""

    start: datetime
    end: datetime

    @property
    def bounds(self) -> Bounds:
        """In milliseconds."""
        start, end = (min(max(time, EARLIEST), LATEST) for time in (self.start, self.end))
        return milliseconds(start), milliseconds(end)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which series; None is any."""

    exchange: str | None = None
    symbol: str | None = None
    timeframe: str | None = None

    @property
    def names(self) -> dict[str, str]:
        """As parameters, empty for any."""
        return {
            "exchange": self.exchange or "",
            "symbol": self.symbol or "",
            "timeframe": self.timeframe or "",
        }


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """A series that holds candles."""

    exchange: str
    symbol: str
    timeframe: str
    candles: int
    first_open_time: datetime
    last_open_time: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that broke a rule, as it came; `number` orders those of one moment."""

    exchange: str
    symbol: str
    timeframe: str
    open_time: datetime | None
    raw: str
    reason: str
    source: str
    job_id: UUID
    chunk_id: UUID
    observed_at: datetime
    number: int


class History:
    """What ClickHouse holds. Every method may raise `Unavailable`."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self.builds: Final = Builds(clickhouse)
        self.differences: Final = Differences(clickhouse)
        self.completeness: Final = Completeness(clickhouse)
        self.seams: Final = Seams(clickhouse)

    async def rows(
        self, table: SeriesTable, series: Series, window: Window, limit: int
    ) -> pa.Table:
        """Up to `limit` rows of a table in time order, with its columns."""
        step = Timeframe.parse(series.timeframe).duration
        bounds = window.bounds
        if step is None:
            return await self._rows(table, series, bounds, limit)
        first = next(pieces(bounds, limit * (step // _MILLISECOND)), bounds)
        found = [await self._rows(table, series, first, limit)]
        left = limit - found[0].num_rows
        extent = await self.extent(series) if left and first[1] < bounds[1] else None
        rest = overlap((first[1], bounds[1]), extent) if extent else (0, 0)
        for piece in pieces(rest, first[1] - first[0]):
            found.append(await self._rows(table, series, piece, left))
            left -= found[-1].num_rows
            if not left:
                break
        return pa.concat_tables(found)

    async def extent(self, series: Series) -> Bounds | None:
        """From where to where the series was ever asked for, which holds every row of it; None
        where it never was. Coverage has a row a batch: a thousandth of what the candles have.
        """
        ((count, first, last),) = await self._clickhouse.query(_EXTENT, **_names(series))
        return (first, last) if count else None

    async def span(
        self, series: Series, window: Window, now: datetime, *, from_first: bool
    ) -> TimeRange | None:
        """The slots of a window, or those from the first that was ever asked for; never further
        than the newest that has closed. None where there is none.
        """
        frame = Timeframe.parse(series.timeframe)
        start, end = map(from_milliseconds, window.bounds)
        if from_first:
            extent = await self.extent(series)
            start = end if extent is None else from_milliseconds(extent[0])
        start, end = frame.ceil(start), frame.ceil(min(end, frame.floor(now)))
        return TimeRange(start, end) if start < end else None

    async def candle_revision(self, series: Series, window: Window, as_of: datetime | None) -> str:
        """Another text whenever the candles of the window, or what is known of them, may be other
        ones: that of all that was read of it so far.
        """
        ((told,),) = await self._clickhouse.query(
            _CANDLE_REVISION,
            **_names(series),
            **_parameters(window.bounds),
            as_of=LATEST if as_of is None else as_of,
        )
        return told

    async def _rows(
        self, table: SeriesTable, series: Series, bounds: Bounds, limit: int
    ) -> pa.Table:
        return await self._clickhouse.query_arrow(
            table.statement,
            **_names(series),
            **table.parameters,
            **_parameters(bounds),
            limit=limit,
        )

    async def revisions(
        self, series: Series, window: Window, behind: tuple[int, ...] | None, limit: int
    ) -> pa.Table:
        """All that was ever believed of slots of which it was not always the same: the columns of
        candles and `superseded_at`, behind `behind` (open time and observed time, milliseconds).
        """
        opened, observed = behind or (0, -1)
        start, end = window.bounds
        return await self._clickhouse.query_arrow(
            _REVISIONS,
            **_names(series),
            **_parameters((max(start, opened), end)),
            opened=opened,
            observed=observed,
            limit=limit,
        )

    async def series(
        self, wanted: Wanted, after: tuple[str, str, str], limit: int
    ) -> Sequence[StoredSeries]:
        """Series that hold candles, by name, behind `after`."""
        names = ("after_exchange", "after_symbol", "after_timeframe")
        known = await self._clickhouse.query(
            _KNOWN_SERIES, **wanted.names, **dict(zip(names, after, strict=True)), limit=limit
        )
        if not known:
            return ()
        columns = [sorted(set(column)) for column in zip(*known, strict=True)]
        rows = await self._clickhouse.query(
            _SERIES, exchanges=columns[0], symbols=columns[1], timeframes=columns[2]
        )
        page = set(known)
        return [StoredSeries(*row) for row in rows if row[:3] in page]

    async def compared(self, exchange: str) -> Comparison | None:
        """The shadow of the candles beside what is served, of one exchange, or of all where
        `exchange` is empty; None where there is no shadow.
        """
        return await compare(self._clickhouse, exchange)

    async def coverage(self, series: Series, window: Window, limit: int) -> Sequence[Asked]:
        """What was asked of the series, by start."""
        rows = await self._clickhouse.query(
            _COVERAGE, **_names(series), **_parameters(window.bounds), limit=limit
        )
        return await asyncio.to_thread(lambda: [Asked(*row) for row in rows])

    async def slots(
        self, series: Series, window: TimeRange, *, now: datetime, as_of: datetime | None = None
    ) -> Sequence[SlotRun]:
        """The state of every slot of the window, as runs; `as_of`: as it was known then."""
        found = await slot_runs(
            self._clickhouse,
            profile(series.exchange),
            symbols=[series.symbol],
            timeframe=series.timeframe,
            window=window,
            now=now,
            as_of=as_of,
        )
        return found[series]

    async def quarantine(
        self, wanted: Wanted, window: Window, before: tuple[int, int], limit: int
    ) -> Sequence[Quarantined]:
        """Quarantined rows, newest first, behind `before` (milliseconds and number)."""
        rows = await self._clickhouse.query(
            _QUARANTINE,
            **wanted.names,
            **_parameters(window.bounds),
            before=before[0],
            before_number=before[1],
            limit=limit,
        )
        return [Quarantined(*row) for row in rows]

    async def ping(self) -> None:
        """Return when ClickHouse answers."""
        await self._clickhouse.query("SELECT 1")


def _parameters(bounds: Bounds) -> dict[str, int]:
    return {"start": bounds[0], "end": bounds[1]}


def _names(series: Series) -> dict[str, Any]:
    return {
        "exchange": series.exchange,
        "symbol": series.symbol,
        "timeframe": series.timeframe,
    }
