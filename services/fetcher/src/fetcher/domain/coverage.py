"""Whether a page answers for the whole of a chunk."""

from collections.abc import Iterator
from datetime import datetime

from candlelog.market.pages import Page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from fetcher.domain.failures import StillOpen, Transient


def check_closed(window: TimeRange, timeframe: Timeframe, now: datetime) -> None:
    """Raises `StillOpen` while the last candle of the window has not closed at exchange time."""
    last = timeframe.advance(timeframe.ceil(window.end), -1)
    left = (timeframe.advance(last, 1) - now).total_seconds()
    if left > 0:
        raise StillOpen(left)


def check_answered(page: Page, window: TimeRange, *, most_rows: int) -> None:
    """Raises `Transient` where the venue answered another question, so that the window is not
    covered: with more rows than were asked for, or with rows beside the window and none in it."""
    found = page.rows.num_rows + len(page.quarantined)
    if found > most_rows:
        raise Transient("too_many_rows", f"{found} rows where {most_rows} were asked for")
    beside = [row for row in page.quarantined if row.reason == "outside_window"]
    inside = [
        row
        for row in page.quarantined
        if row.open_time is not None and window.start <= row.open_time < window.end
    ]
    if beside and not inside and not page.rows.num_rows:
        raise Transient("other_range", f"rows of another range, such as {beside[0].raw}")


def silence(page: Page, window: TimeRange, timeframe: Timeframe) -> TimeRange | None:
    """The end of the window of which the page has no row, good or bad; None where it has its last.

    A venue that has rows of all slots was away then, or the page is shorter than it should be.
    """
    last = max(_open_times(page, window), default=None)
    begin = window.start if last is None else timeframe.advance(timeframe.floor(last), 1)
    return TimeRange(begin, window.end) if begin < window.end else None


def check_silent(page: Page, window: TimeRange, silent: TimeRange) -> datetime:
    """Until when a venue is silent, given the first of its rows of `window`, which begins with the
    silence and ends now. Raises `Transient` where that row belongs to what was silent."""
    first = min(_open_times(page, window), default=window.end)
    if first < silent.end:
        raise Transient("short_page", f"rows are missing from {silent.start.isoformat()} on")
    return first


def _open_times(page: Page, window: TimeRange) -> Iterator[datetime]:
    """The first and the last of the valid rows, and those of refused ones in the window."""
    valid = page.rows.column("open_time")
    if len(valid):
        yield from (valid[0].as_py(), valid[-1].as_py())
    for row in page.quarantined:
        if row.open_time is not None and window.start <= row.open_time < window.end:
            yield row.open_time
