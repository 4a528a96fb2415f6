"""Candles of one series with the state of their slots: as of now or of a past moment."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from candlelog.events.fields import EARLIEST
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun, SlotState
from candlelog.market.timeframe import Timeframe, from_milliseconds
from status_api.adapters.history import History, Window
from status_api.adapters.series_tables import CANDLES, SeriesTable, candles_as_of
from status_api.domain.slot_rows import filled, read_early, with_states


@dataclass(frozen=True, slots=True)
class CandleRange:
    """A reader of candles; `whole` has a row for each slot up to now, also for those without one.

    Methods may raise `Unavailable`.
    """

    history: History
    series: Series
    now: datetime
    as_of: datetime | None = None
    whole: bool = False

    async def rows(self, window: Window, limit: int) -> pa.Table:
        """Up to `limit` rows in time order: the columns of candles, and `state`."""
        if self.whole:
            return await self._every_slot(window, limit)
        rows = await self.history.rows(self._table, self.series, window, limit)
        settle_delay = timedelta(seconds=profile(self.series.exchange).settle_delay_seconds)
        early = read_early(rows, self._frame, settle_delay)
        if not early.any():
            return with_states(rows, ())
        opened = rows["open_time"].filter(pa.array(early))
        first, last = opened[0].as_py(), opened[-1].as_py()
        span = TimeRange(first, self._frame.advance(last, 1))
        return with_states(rows, await self._slots(span))

    async def revision(self, window: Window) -> str:
        """Another text whenever the rows of the window may be other ones."""
        if not self.whole:
            return await self.history.candle_revision(self.series, window, self.as_of)
        # Where nothing was traded the price is of a candle before: before the window, perhaps.
        until = Window(EARLIEST, window.end)
        told = await self.history.candle_revision(self.series, until, self.as_of)
        span = await self._span(window)
        return f"{told} {span} {None if span is None else self._reached(span)}"

    def _reached(self, span: TimeRange) -> datetime:
        """Where the slots begin that the venue still answers for: before it, what is unknown now
        becomes unfetchable as time passes."""
        oldest = profile(self.series.exchange).oldest_within_reach(
            self._frame, self.as_of or self.now
        )
        return span.start if oldest is None else min(max(oldest, span.start), span.end)

    async def _every_slot(self, window: Window, limit: int) -> pa.Table:
        span = await self._span(window)
        if span is None:
            none = Window(self.now, self.now)
            return with_states(await self.history.rows(self._table, self.series, none, 0), ())
        count = min(limit, self._frame.count(span.start, span.end))
        piece = TimeRange(span.start, self._frame.advance(span.start, count))
        rows = await self._rows(piece, count)
        runs = await self._slots(piece)
        quiet = runs[0].state is SlotState.NO_TRADE
        before = await self._price_before(piece.start) if quiet else None
        return await asyncio.to_thread(filled, rows, runs, self.series, before)

    async def _slots(self, span: TimeRange) -> Sequence[SlotRun]:
        return await self.history.slots(self.series, span, now=self.now, as_of=self.as_of)

    async def _rows(self, span: TimeRange, limit: int) -> pa.Table:
        window = Window(span.start, span.end)
        return await self.history.rows(self._table, self.series, window, limit)

    async def _price_before(self, start: datetime) -> float | None:
        """The close behind which nothing was traded until `start`."""
        extent = await self.history.extent(self.series)
        if extent is None or from_milliseconds(extent[0]) >= start:
            return None
        past = TimeRange(from_milliseconds(extent[0]), start)
        runs = await self._slots(past)
        while runs and runs[-1].state is SlotState.NO_TRADE:
            runs = runs[:-1]
        if not runs:
            return None
        last = TimeRange(self._frame.advance(runs[-1].end, -1), runs[-1].end)
        rows = await self._rows(last, 1)
        return rows["close"][0].as_py() if rows.num_rows else None

    async def _span(self, window: Window) -> TimeRange | None:
        unbounded = window.start == EARLIEST
        return await self.history.span(self.series, window, self.now, from_first=unbounded)

    @property
    def _table(self) -> SeriesTable:
        return CANDLES if self.as_of is None else candles_as_of(self.as_of)

    @property
    def _frame(self) -> Timeframe:
        return Timeframe.parse(self.series.timeframe)
