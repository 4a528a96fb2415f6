"""The circuit breaker of a venue: how long to leave one alone that does not answer, or only badly.

It is closed while the venue answers. It opens when there was no answer, or nothing but bad ones for
a while; then for longer and longer. Once that time is over one request goes out as a probe, the
others wait, and the answer closes it again or opens it anew.
"""

from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 30.0
SUSTAINED: Final = 10
SUSTAINED_SECONDS: Final = 10.0
"""So many bad answers in a row, over so many seconds at the least, are not those of one symbol."""


class Outage:
    """Failures in a row. One while other requests are answered is no outage, and those of
    requests that were on their way together count once. Times are our steady clock."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = float("-inf")
        self._answered_at = float("-inf")
        self._bad = 0
        self._bad_since = float("-inf")
        self._probing = False

    @property
    def failures(self) -> int:
        """How often in a row it was opened; 0 while it is closed."""
        return self._failures

    def remaining(self, now: float) -> float:
        """Seconds for which the venue should be left alone."""
        return max(0.0, self._until - now)

    def admits(self, now: float) -> bool:
        """Whether a request may go out now; while it is open, that is the probe."""
        if self.remaining(now) > 0:
            return False
        if self._failures and self._probing:
            return False
        self._probing = True
        return True

    def through(self) -> None:
        """A request that was admitted is over, however it ended."""
        self._probing = False

    def failed(self, asked_at: float, now: float, chance: float) -> None:
        """There was no answer to a request; `chance` in [0, 1) spreads the workers."""
        if now >= self._until and self._answered_at < asked_at:
            longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 10))
            self._failures += 1
            self._until = now + longest * (0.5 + chance / 2)

    def answered_badly(self, asked_at: float, now: float, chance: float) -> None:
        """The answer was an error of the venue, or was cut short."""
        if not self._bad:
            self._bad_since = now
        self._bad += 1
        sustained = self._bad >= SUSTAINED and now - self._bad_since >= SUSTAINED_SECONDS
        if self._failures or sustained:
            self.failed(asked_at, now, chance)

    def answered(self, now: float) -> None:
        """The venue is there."""
        self._failures = self._bad = 0
        self._answered_at = now
