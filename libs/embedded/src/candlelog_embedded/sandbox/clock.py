"""The clock of the sandbox: the machine's, moved by an offset."""

from datetime import UTC, datetime, timedelta
from typing import Final

from candlelog.clock import Clock

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_MS: Final = timedelta(milliseconds=1)


class OffsetClock:
    """Time as this venue tells it."""

    def __init__(self, clock: Clock, offset_seconds: float = 0.0) -> None:
        self._clock = clock
        self.offset_seconds = offset_seconds

    def milliseconds(self) -> int:
        """Venue time, milliseconds since the epoch."""
        now = self._clock.now() + timedelta(seconds=self.offset_seconds)
        return (now - _EPOCH) // _ONE_MS
