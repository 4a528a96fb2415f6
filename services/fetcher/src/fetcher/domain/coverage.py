"""Whether a page answers for the whole of a chunk."""

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
    beside = [
        row
        for row in page.quarantined
        if row.reason == "outside_window" or row.open_time is not None
    ]
    if beside and not page.refused_times(window) and not page.rows.num_rows:
        raise Transient("other_range", f"rows of another range, such as {beside[0].raw}")
