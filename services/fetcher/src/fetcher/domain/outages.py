"""How long to leave a venue alone that does not answer."""

from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 30.0


class Outage:
    """Failures in a row. Those of requests that were on their way together count as one."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = float("-inf")

    def remaining(self, now: float) -> float:
        """Seconds for which the venue should be left alone; `now` is our steady clock."""
        return max(0.0, self._until - now)

    def failed(self, now: float, chance: float) -> None:
        """There was no answer; `chance` in [0, 1) spreads the workers."""
        if now >= self._until:
            longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 10))
            self._failures += 1
            self._until = now + longest * (0.5 + chance / 2)

    def answered(self) -> None:
        """The venue is there."""
        self._failures = 0
