"""The circuit breaker of a venue: how long to leave one alone that does not answer, or only badly.

It is closed while the venue answers. It opens when there was no answer, or nothing but errors for a
while; then for longer and longer. Once that time is over one request goes out as a probe, the
others wait, and what becomes of it closes the breaker or opens it anew.
"""

from dataclasses import dataclass
from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 30.0
SUSTAINED: Final = 10
SUSTAINED_SECONDS: Final = 5.0
"""So many errors in a row, over so many seconds at the least, are not those of one symbol."""
_FORGOTTEN_SECONDS: Final = 60.0
"""Errors further apart than this are not in a row."""
_TOLD_SECONDS: Final = 60.0
"""How long it is told of that was open, when nobody has asked since."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to ask the venue; `probe` is that of the one that asks while the breaker is open."""

    probe: bool


_CLOSED: Final = Admission(probe=False)


class Outage:
    """Failures in a row. One while other requests are answered is no outage, and those of
    requests that were on their way together count once. Times are our steady clock."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = float("-inf")
        self._pause = FIRST_SECONDS
        self._answered_at = self._candles_at = float("-inf")
        self._errors = 0
        self._errors_since = self._erred_at = float("-inf")
        self._by_errors = False
        self._probe: Admission | None = None

    def failures(self, now: float) -> int:
        """How often in a row it was opened; 0 while it is closed, or nobody has asked for long."""
        return self._failures if now < self._until + _TOLD_SECONDS else 0

    def remaining(self, now: float) -> float:
        """Seconds for which the venue should be left alone."""
        return max(0.0, self._until - now)

    def wait(self, now: float) -> float:
        """Seconds after which whoever was not admitted may ask again."""
        return self.remaining(now) or self._pause

    def admit(self, now: float) -> Admission | None:
        """Leave for a request, if there is any now."""
        if not self._failures:
            return _CLOSED
        if self.remaining(now) > 0 or self._probe is not None:
            return None
        self._probe = Admission(probe=True)
        return self._probe

    def holds(self, admission: Admission) -> bool:
        """Whether a request that was admitted may still be written."""
        return admission.probe or not self._failures

    def through(self, admission: Admission) -> None:
        """A request that was admitted is over, however it ended."""
        if admission is self._probe:
            self._probe = None

    def failed(self, asked_at: float, now: float, chance: float) -> None:
        """There was no answer to a request; `chance` in [0, 1) spreads the workers."""
        if now >= self._until and self._answered_at < asked_at:
            self._open(now, chance)

    def erred(self, asked_at: float, now: float, chance: float) -> None:
        """The answer was an error of the venue, cut short, or none to the question."""
        if not self._errors or now - self._erred_at > _FORGOTTEN_SECONDS:
            self._errors, self._errors_since = 0, now
        self._errors, self._erred_at = self._errors + 1, now
        sustained = self._errors >= SUSTAINED and now - self._errors_since >= SUSTAINED_SECONDS
        if (self._failures or sustained) and now >= self._until and self._candles_at < asked_at:
            self._by_errors = True
            self._open(now, chance)

    def answered(self, now: float, *, candles: bool) -> None:
        """The venue is there. Where it has answered nothing but errors, only `candles` tell."""
        self._answered_at = now
        if candles:
            self._candles_at, self._errors, self._by_errors = now, 0, False
        if not self._by_errors:
            self._failures, self._pause = 0, FIRST_SECONDS

    def _open(self, now: float, chance: float) -> None:
        longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._pause = longest * (0.5 + chance / 2)
        self._until = now + self._pause
