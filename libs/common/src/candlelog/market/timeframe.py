"""Timeframes: the grid of open times of a series.

Fixed timeframes are counted from the epoch, weeks from a Monday, months by the calendar (UTC).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candlelog.errors import Invalid

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
_ONE_MS: Final = timedelta(milliseconds=1)
_DURATIONS: Final = {
    "1m": timedelta(minutes=1),
    "3m": timedelta(minutes=3),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "2h": timedelta(hours=2),
    "4h": timedelta(hours=4),
    "6h": timedelta(hours=6),
    "8h": timedelta(hours=8),
    "12h": timedelta(hours=12),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
    "1w": timedelta(weeks=1),
    "2w": timedelta(days=15),  # what Kraken calls 21600 minutes, and ccxt "2w", is 15 days
}

TIMEFRAMES: Final = (*_DURATIONS, "1M")


@dataclass(frozen=True, slots=True)
class Timeframe:
    """A grid of open times. `duration` is None for months, which vary."""

    name: str
    duration: timedelta | None
    anchor: datetime = _EPOCH

    @classmethod
    def parse(cls, name: str) -> "Timeframe":
        """The timeframe of that name; `Invalid` names the nearest ones that exist."""
        if name == "1M":
            return cls(name, None)
        if name not in _DURATIONS:
            near = get_close_matches(name, TIMEFRAMES, n=3, cutoff=0.1) or TIMEFRAMES
            raise Invalid(f"unknown timeframe {name!r}; did you mean {', '.join(near)}?")
        return cls(name, _DURATIONS[name], _MONDAY if name == "1w" else _EPOCH)

    def floor(self, time: datetime) -> datetime:
        """The newest open time at or before `time`."""
        if self.duration is None:
            return time.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return time - (time - self.anchor) % self.duration

    def ceil(self, time: datetime) -> datetime:
        """The oldest open time at or after `time`."""
        floor = self.floor(time)
        return floor if floor == time else self.advance(floor, 1)

    def advance(self, open_time: datetime, steps: int) -> datetime:
        """The open time `steps` candles later (earlier when negative)."""
        if self.duration is None:
            month = open_time.year * 12 + open_time.month - 1 + steps
            return open_time.replace(year=month // 12, month=month % 12 + 1)
        return open_time + steps * self.duration

    def number(self, time: datetime) -> int:
        """Which slot `time` lies in, counted from the anchor; months from the year 0."""
        if self.duration is None:
            month = self.floor(time)
            return month.year * 12 + month.month - 1
        return (time - self.anchor) // self.duration

    def count(self, start: datetime, end: datetime) -> int:
        """How many open times lie in `[start, end)`."""
        first, last = self.ceil(start), self.ceil(end)
        if last <= first:
            return 0
        if self.duration is None:
            return (last.year - first.year) * 12 + last.month - first.month
        return (last - first) // self.duration

    def open_times_ms(self, start: datetime, end: datetime) -> NDArray[np.int64]:
        """Open times in `[start, end)`: shape (count,), milliseconds since the epoch."""
        first, number = self.ceil(start), self.count(start, end)
        if self.duration is None:
            times = [milliseconds(self.advance(first, step)) for step in range(number)]
            return np.array(times, dtype=np.int64)
        step = self.duration // _ONE_MS
        return milliseconds(first) + np.arange(number, dtype=np.int64) * step


def milliseconds(time: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    return (time - _EPOCH) // _ONE_MS


def from_milliseconds(value: int) -> datetime:
    """The aware UTC time of milliseconds since the epoch."""
    return _EPOCH + value * _ONE_MS
