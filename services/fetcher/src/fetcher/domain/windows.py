"""Windows of a venue's limit, in exchange time: calendar minutes counted from the epoch.

Seconds since the epoch are floats here; `moment` and `seconds` go to aware datetimes and back.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

OPENING_GUARD: Final = 0.05
"""Seconds after the start before which nothing is spent."""
CLOSING_GUARD: Final = 0.25
"""Seconds before the end after which nothing is spent: a request may be that long on its way."""


@dataclass(frozen=True, slots=True)
class Window:
    """`[start, end)`, seconds of exchange time; `id` is its number since the epoch."""

    id: int
    start: float
    end: float

    @property
    def not_before(self) -> float:
        """When spending may begin. Each worker adds the uncertainty of its own clock."""
        return self.start + OPENING_GUARD

    @property
    def expires_at(self) -> float:
        """When spending must have ended. Each worker subtracts its own uncertainty."""
        return self.end - CLOSING_GUARD


def window_at(time: float, length: float) -> Window:
    """The window of `length` seconds that holds `time`."""
    number = int(time // length)
    return Window(number, number * length, (number + 1) * length)


def moment(time: float) -> datetime:
    """Seconds since the epoch as an aware UTC datetime."""
    return datetime.fromtimestamp(time, UTC)


def seconds(time: datetime) -> float:
    """An aware datetime as seconds since the epoch."""
    return time.timestamp()
