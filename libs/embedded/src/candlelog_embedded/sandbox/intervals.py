"""The candle grids of the sandbox, in milliseconds since the epoch.

Written apart from `candlelog.market.timeframe` on purpose: the sandbox is what Candlelog is
measured against, and must not share its mistakes.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MINUTE: Final = 60_000
_HOUR: Final = 60 * MINUTE
_DAY: Final = 24 * _HOUR
_FIRST_MONDAY: Final = 4 * _DAY  # 1970-01-05
_BLOCK_MINUTES: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class Interval:
    """A grid of open times; `step` is its milliseconds, None for calendar months."""

    name: str
    step: int | None
    anchor: int = 0

    def floors(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """The open time of the candle each time lies in: shape of `times`."""
        if self.step is None:
            months = times.astype("datetime64[ms]").astype("datetime64[M]")
            return months.astype("datetime64[ms]").astype(np.int64)
        return times - (times - self.anchor) % self.step

    def floor(self, time: int) -> int:
        """The newest open time at or before `time`."""
        if self.step is None:
            return int(self.floors(np.array([time], dtype=np.int64))[0])
        return time - (time - self.anchor) % self.step

    def ceil(self, time: int) -> int:
        """The oldest open time at or after `time`."""
        floor = self.floor(time)
        return floor if floor == time else self.advance(floor, 1)

    def advance(self, open_time: int, count: int) -> int:
        """The open time `count` candles later; earlier when negative."""
        if self.step is None:
            month = np.datetime64(open_time, "ms").astype("datetime64[M]") + count
            return int(month.astype("datetime64[ms]").astype(np.int64))
        return open_time + count * self.step

    def ends(self, open_times: NDArray[np.int64]) -> NDArray[np.int64]:
        """When each of these candles closes (exclusive): the next open time."""
        if self.step is None:
            months = open_times.astype("datetime64[ms]").astype("datetime64[M]") + 1
            return months.astype("datetime64[ms]").astype(np.int64)
        return open_times + self.step

    @property
    def minutes(self) -> int:
        """Minutes of one candle, of the longest one for months."""
        return (self.step or 31 * _DAY) // MINUTE

    @property
    def block(self) -> int:
        """How many candles to fold at once, so that the minutes in hand stay few."""
        return max(1, _BLOCK_MINUTES // self.minutes)


INTERVALS: Final = {
    interval.name: interval
    for interval in (
        *(Interval(f"{count}m", count * MINUTE) for count in (1, 3, 5, 15, 30)),
        *(Interval(f"{count}h", count * _HOUR) for count in (1, 2, 4, 6, 8, 12)),
        Interval("1d", _DAY),
        Interval("3d", 3 * _DAY),
        Interval("1w", 7 * _DAY, _FIRST_MONDAY),
        Interval("1M", None),
    )
}
