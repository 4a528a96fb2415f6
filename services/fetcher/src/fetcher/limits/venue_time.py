"""Exchange time, as this process knows it."""

from typing import Final

from candlelog.clock import Clock
from fetcher.domain.stock import Instant
from fetcher.domain.venue_time import TimeOffset, TimeReading

_STALE_SECONDS: Final = 30.0
"""Age at which the venue should be asked again: by then two clocks are milliseconds apart."""
_STALE_OF_COARSE: Final = 600.0
"""The same where whole seconds are all it tells."""
_COARSE: Final = 0.1
_FORGOTTEN_SECONDS: Final = 3600.0
"""Age at which nothing is known any more: after hours the bounds are wider than any grant is long,
and nothing could be spent by them, not even to ask for the time."""
_JUMP_SECONDS: Final = 0.5
"""A difference between wall and steady clock that means: this machine slept or was set. As far
beside the time of a venue, a date of its means that its clock was set."""


class VenueTime:
    """One venue's clock. Unknown until it was asked, and again after this machine slept, or an
    answer shows that the venue's clock was set."""

    def __init__(self, clock: Clock, resolution: float) -> None:
        self._clock = clock
        self._stale_seconds = _STALE_SECONDS if resolution < _COARSE else _STALE_OF_COARSE
        self._offset: TimeOffset | None = None
        self._wall_ahead = 0.0
        self._asked_at = float("-inf")
        self._suspect = False
        self._doubt: TimeOffset | None = None
        self._set_at = float("-inf")
        self.heeds_dates = True
        """Whether the dates of answers follow the clock that is asked for, as far as is known."""

    def learn(self, reading: TimeReading) -> None:
        """Take in the time the venue told when it was asked for it."""
        newer, known = TimeOffset.of(reading), self._known()
        if reading.sent < self._set_at != reading.received:
            return  # told before the clock was set, or after; its own date told of it otherwise
        if known is not None and known.apart(newer) > _JUMP_SECONDS:
            self._set_at = reading.received
        self._offset = newer if known is None else known.refined(newer)
        self._wall_ahead = self._ahead()
        self._asked_at = reading.received
        self._suspect = False
        if self._doubt is not None:
            self.heeds_dates = self._doubt.apart(newer) <= _JUMP_SECONDS
            self._doubt = None

    def glimpse(self, reading: TimeReading) -> bool:
        """Take in the date of any answer. It tells no more than the second, but soon: where it
        contradicts what is known, the venue's clock was set, and its time is not known any more.
        Whether that is so now."""
        known = self._known()
        if known is None or reading.sent < self._set_at:
            return False
        date = TimeOffset.of(reading)
        if known.apart(date) <= _JUMP_SECONDS:
            return False
        self._doubt, self._offset, self._set_at = date, None, reading.received
        return True

    def suspect(self, *, older_than: float) -> None:
        """What is known may be from before the venue's clock was set: have it asked for again, if
        it is older than so many seconds."""
        self._suspect |= self._clock.monotonic() - self._asked_at > older_than

    def instant(self) -> Instant:
        """Now, on the steady clock and in exchange time."""
        return self.instant_at(self._clock.monotonic())

    def instant_at(self, steady: float) -> Instant:
        """A moment of our steady clock that is not long past."""
        offset = self._known()
        if offset is None or steady < self._set_at:
            return Instant(steady)
        wide = offset.at(steady)
        return Instant(steady, steady + wide.low, steady + wide.high, self._suspect)

    @property
    def known(self) -> bool:
        """Whether exchange time is known at all."""
        return self._known() is not None

    @property
    def stale(self) -> bool:
        """Whether the venue should be asked again."""
        age = self._clock.monotonic() - self._asked_at
        return not self.known or self._suspect or age > self._stale_seconds

    def _known(self) -> TimeOffset | None:
        slept = abs(self._ahead() - self._wall_ahead) > _JUMP_SECONDS
        now = self._clock.monotonic()
        if self._offset is not None and (slept or now - self._asked_at > _FORGOTTEN_SECONDS):
            self._offset, self._set_at = None, now
        return self._offset

    def _ahead(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
