"""What the venue's clock shows, from a few questions and our own steady clock.

An answer that shows `server` and travelled between `sent` and `received` bounds the offset:
`server - received <= offset <= server + resolution - sent`. Bounds of several answers are
intersected; older ones are widened by what two quartz clocks may drift apart.
"""

from dataclasses import dataclass
from typing import Final

DRIFT: Final = 100e-6
"""Seconds two machines' clocks drift apart in a second, at most."""


@dataclass(frozen=True, slots=True)
class TimeReading:
    """`server` in seconds since the epoch, rounded down to `resolution`; `sent` and `received` on
    our steady clock."""

    sent: float
    received: float
    server: float
    resolution: float = 0.001


@dataclass(frozen=True, slots=True)
class TimeOffset:
    """Exchange time minus our steady clock lies in `[low, high]`, as known at `known_at`."""

    low: float
    high: float
    known_at: float

    @classmethod
    def of(cls, reading: TimeReading) -> "TimeOffset":
        """What one reading tells."""
        return cls(
            reading.server - reading.received,
            reading.server + reading.resolution - reading.sent,
            reading.received,
        )

    def at(self, steady: float) -> "TimeOffset":
        """The same knowledge at a later moment, wider by the drift."""
        drift = DRIFT * max(0.0, steady - self.known_at)
        return TimeOffset(self.low - drift, self.high + drift, max(steady, self.known_at))

    def apart(self, newer: "TimeOffset") -> float:
        """Seconds between these bounds and those; 0 where they overlap."""
        older = self.at(newer.known_at)
        return max(0.0, older.low - newer.high, newer.low - older.high)

    def refined(self, newer: "TimeOffset") -> "TimeOffset":
        """Both together; where they contradict, the venue's clock was set: the newer one."""
        older = self.at(newer.known_at)
        low, high = max(older.low, newer.low), min(older.high, newer.high)
        return TimeOffset(low, high, newer.known_at) if low <= high else newer
