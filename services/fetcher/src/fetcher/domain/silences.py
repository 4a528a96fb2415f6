"""Slots for which a venue has no row, though it has rows of all slots: it was away then, or the
page is shorter than it should be. One more question tells which."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from candlelog.market.pages import Page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, from_milliseconds, milliseconds
from fetcher.domain.failures import Transient


@dataclass(frozen=True, slots=True)
class Silent:
    """The end of a page that has no row, good or bad; `unread` tells whether the page has rows that
    cannot be read, which may be those."""

    slots: TimeRange
    unread: bool


class Silence:
    """Of one series: the range for which the venue said last that it has nothing, if any."""

    def __init__(self) -> None:
        self._known: TimeRange | None = None

    def after(self, page: Page, window: TimeRange, timeframe: Timeframe) -> Silent | None:
        """What of the window the venue is to be asked about once more, if anything."""
        if self._known is not None and _speaks_in(page, self._known):
            self._known = None  # the venue has something there after all
        last = max(open_times(page, window), default=None)
        begin = window.start if last is None else timeframe.advance(timeframe.floor(last), 1)
        if begin >= window.end:
            return None
        known = self._known
        if known is not None and known.start <= begin and window.end <= known.end:
            return None
        return Silent(TimeRange(begin, window.end), has_unread(page))

    def confirm(self, silent: Silent, page: Page, window: TimeRange) -> None:
        """Take in the answer: the first row of `window`, from the silence on until now. Raises
        `Transient` where that row belongs to what was silent."""
        first = min(open_times(page, window), default=None)
        if first is None and has_unread(page):
            # Perhaps one of those that could not be read before: it tells nothing of later slots.
            first = silent.slots.end if silent.unread else silent.slots.start
        until = window.end if first is None else first
        if until < silent.slots.end:
            begin = silent.slots.start.isoformat()
            raise Transient("short_page", f"rows are missing from {begin} on")
        self._known = TimeRange(silent.slots.start, until)


def _speaks_in(page: Page, known: TimeRange) -> bool:
    times = page.rows.column("open_time").cast(pa.int64()).to_numpy()
    start, end = milliseconds(known.start), milliseconds(known.end)
    return bool(np.any((times >= start) & (times < end)) or page.refused_times(known))


def has_unread(page: Page) -> bool:
    """Whether a row of the page states no time that could be read."""
    return any(row.open_time is None for row in page.quarantined)


def open_times(page: Page, window: TimeRange) -> Iterator[datetime]:
    """The first and the last of the valid rows, and those of refused ones in the window."""
    valid = page.rows.column("open_time")
    if len(valid):
        yield from (from_milliseconds(valid[0].value), from_milliseconds(valid[-1].value))
    yield from page.refused_times(window)
