"""How much of a window may be granted by now."""

from dataclasses import dataclass
from typing import Final

from fetcher.domain.windows import Window

LEAD: Final = 1.0
"""Seconds of pace granted ahead, so that workers never wait for the log."""
TAIL: Final = 1.5
"""Seconds before expiry by which everything is granted, so that all of it can be spent."""
LAST_GRANT: Final = 0.3
"""Seconds before expiry after which a grant would come too late to be of use."""
PROBE_SECONDS: Final = 5.0
"""A probe whose answer is not reported by then is taken for lost."""
RAMP: Final = 5.0
"""Seconds over which the pace rises again after a backoff."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is fixed about a budget: weight per window of `length` seconds.

    The venue allows `stated` to everybody behind this address together, of which we take no more
    than `capacity`: less than that where a ceiling was set. `reserve` is never granted: what may
    still arrive in a window that was not meant. `probe` is granted every `PROBE_SECONDS` while
    nobody has said what of the window others have used.
    """

    stated: float
    capacity: float
    length: float
    reserve: float
    probe: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known about the window now.

    `foreign` is what others behind this address have used, `foreign_rate` what they use a second;
    `backoff_until` is exchange time, 0 for none, `resumed_at` the end of the newest one forgotten.
    `unobserved_since` is when the window was opened, where `foreign` is not known yet.
    """

    granted: float
    foreign: float = 0.0
    foreign_rate: float = 0.0
    unobserved_since: float | None = None
    backoff_until: float = 0.0
    resumed_at: float = 0.0


def allowance(limits: Limits, window: Window, standing: Standing, now: float) -> float:
    """Weight that may be granted now, beyond what was: `granted` stays within the capacity, and
    together with what others use within what the venue allows."""
    if now < standing.backoff_until or not window.start <= now < window.expires_at - LAST_GRANT:
        return 0.0
    pace = _pace(window, now, standing.backoff_until or standing.resumed_at)
    paced = pace * _ours(limits, window, standing, now)
    if standing.unobserved_since is not None:
        probes = 1 + max(0.0, now - standing.unobserved_since) // PROBE_SECONDS
        paced = min(paced, limits.probe * probes)
    return max(0.0, paced - standing.granted)


def to_come(limits: Limits, window: Window, standing: Standing, now: float) -> float:
    """Weight that may still be granted of the window, as far as can be seen now."""
    since = standing.backoff_until or standing.resumed_at
    last = _pace(window, max(now, window.expires_at - LAST_GRANT), since)
    return last * _ours(limits, window, standing, now) - standing.granted


def _ours(limits: Limits, window: Window, standing: Standing, now: float) -> float:
    """What we may take of the window, as far as others leave it."""
    expected = standing.foreign_rate * max(0.0, window.end - now)
    return min(limits.capacity, limits.stated - standing.foreign - expected) - limits.reserve


def _pace(window: Window, now: float, resumed_at: float) -> float:
    """The part of the window's weight that may be out by now, in [0, 1].

    In the window in which a backoff ends the pace starts from nothing at that moment. One that
    seems to end later is from before the venue's clock was set back.
    """
    since = resumed_at if resumed_at <= now else 0.0
    pace = (now + LEAD - max(window.start, since)) / (window.expires_at - TAIL - window.start)
    ramp = min(1.0, (now - since) / RAMP)
    return min(1.0, max(0.0, pace)) * ramp
