"""How long to leave a venue alone that does not answer."""

from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 30.0


class Outage:
    """Failures in a row. One while other requests are answered is no outage, and those of
    requests that were on their way together count once. Times are our steady clock."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = float("-inf")
        self._answered_at = float("-inf")

    def remaining(self, now: float) -> float:
        """Seconds for which the venue should be left alone."""
        return max(0.0, self._until - now)

    def failed(self, asked_at: float, now: float, chance: float) -> None:
        """There was no answer to a request; `chance` in [0, 1) spreads the workers."""
        if now >= self._until and self._answered_at < asked_at:
            longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 10))
            self._failures += 1
            self._until = now + longest * (0.5 + chance / 2)

    def answered(self, now: float) -> None:
        """The venue is there."""
        self._failures = 0
        self._answered_at = now
