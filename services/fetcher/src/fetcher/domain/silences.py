"""Slots for which a venue has no row, though it has rows of all slots: it was away then, or the
page is shorter than it should be. One more question tells which."""

from collections.abc import Iterator
from datetime import datetime

from candlelog.market.pages import Page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from fetcher.domain.failures import Transient


class Silence:
    """Of one series: the range for which the venue said last that it has nothing, if any."""

    def __init__(self) -> None:
        self._known: TimeRange | None = None

    def after(self, page: Page, window: TimeRange, timeframe: Timeframe) -> TimeRange | None:
        """The end of the window of which the page has no row, good or bad, and about which the
        venue is to be asked once more; None where it need not be."""
        if any(_within(time, self._known) for time in _open_times(page, window)):
            self._known = None
        last = max(_open_times(page, window), default=None)
        begin = window.start if last is None else timeframe.advance(timeframe.floor(last), 1)
        if begin >= window.end:
            return None
        known = self._known
        if known is not None and known.start <= begin and window.end <= known.end:
            return None
        return TimeRange(begin, window.end)

    def confirm(self, silent: TimeRange, page: Page, window: TimeRange) -> None:
        """Take in the answer: the first row of `window`, from the silence on until now. Raises
        `Transient` where that row belongs to what was silent."""
        # Of a row that cannot be read nobody knows the time: it says nothing of what comes later.
        otherwise = silent.end if page.quarantined else window.end
        first = min(_open_times(page, window), default=otherwise)
        if first < silent.end:
            raise Transient("short_page", f"rows are missing from {silent.start.isoformat()} on")
        self._known = TimeRange(silent.start, first)


def _within(time: datetime, known: TimeRange | None) -> bool:
    return known is not None and known.start <= time < known.end


def _open_times(page: Page, window: TimeRange) -> Iterator[datetime]:
    """The first and the last of the valid rows, and those of refused ones in the window."""
    valid = page.rows.column("open_time")
    if len(valid):
        yield from (valid[0].as_py(), valid[-1].as_py())
    for row in page.quarantined:
        if row.open_time is not None and window.start <= row.open_time < window.end:
            yield row.open_time
