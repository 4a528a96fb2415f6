"""Between which slots a venue has candles of a series, as far as it has proved that.

What lies outside was never a candle and will be none: the market was not there. A venue proves
where a series begins by its very first candle. It proves where a series ends by having none after
some slot up to now, of a market that it says has ceased.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from candlelog.market.pages import Page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from fetcher.domain.silences import has_unread, open_times

KEPT_SECONDS: Final = 3600.0
"""How long a proof is relied on: a venue may list a market again, or find older candles."""


@dataclass(slots=True)
class Listed:
    """One series: where its first candle opens, and behind which slot none follows; None for what
    is not proved. `first_at` and `end_at` are when it was, on the steady clock."""

    first: datetime | None = None
    end: datetime | None = None
    first_at: float = float("-inf")
    end_at: float = float("-inf")

    def begins(self, first: datetime, now: float) -> None:
        """The venue has no older candle."""
        self.first, self.first_at = first, now

    def ends(self, end: datetime, now: float) -> None:
        """The venue has no candle from there on. Of chunks that are fetched at once one behind may
        prove so after one before it did: the earlier end stays."""
        if self.end is None or end <= self.end:
            self.end, self.end_at = end, now

    def forget(self, now: float, page: Page | None = None) -> None:
        """Drop what was proved too long ago, and what a page contradicts."""
        rows = None if page is None or not page.rows.num_rows else page.rows.column("open_time")
        if self.first is not None:
            older = rows is not None and rows[0].as_py() < self.first
            if older or now - self.first_at > KEPT_SECONDS:
                self.first = None
        if self.end is not None:
            newer = rows is not None and rows[-1].as_py() >= self.end
            if newer or now - self.end_at > KEPT_SECONDS:
                self.end = None

    def within(self, window: TimeRange) -> TimeRange | None:
        """What of the window may hold candles, None for nothing of it."""
        start = window.start if self.first is None else max(window.start, self.first)
        end = window.end if self.end is None else min(window.end, self.end)
        return TimeRange(start, end) if start < end else None


def first_row(page: Page, window: TimeRange, timeframe: Timeframe) -> datetime | None:
    """The slot of the first row in the window, good or bad; None where there is none."""
    first = min(open_times(page, window), default=None)
    return None if first is None else timeframe.floor(first)


def begins_late(page: Page, window: TimeRange, timeframe: Timeframe) -> bool:
    """Whether the page has no row, good or bad, of the first slot of the window. A page with a row
    that cannot be read does not tell."""
    return not has_unread(page) and first_row(page, window, timeframe) != window.start
