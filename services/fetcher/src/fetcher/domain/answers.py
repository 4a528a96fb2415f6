"""Sorting what a venue answered: the one place where its words become ours."""

from collections.abc import Mapping
from typing import Final

from fetcher.domain.failures import Away, Permanent, RateLimited, Transient, VenueFailure

DEFAULT_PAUSE: Final = 60.0
"""Seconds to wait after a 429 that does not say how long: a window."""
DEFAULT_BAN: Final = 120.0
"""Seconds to wait after a 418 that does not say how long: the shortest ban there is."""
_PERMANENT: Final = {
    400: "bad_request",
    401: "forbidden",
    403: "forbidden",
    404: "not_found",
    409: "refused",
    410: "not_found",
    451: "geo_blocked",
}
_EXCERPT: Final = 200


def failure_of(status: int, headers: Mapping[str, str], text: str) -> VenueFailure | None:
    """What an HTTP answer means, or None when it is one to be read.

    `headers` have names in lower case; `text` is the beginning of the body.
    """
    said = f"HTTP {status}: {text[:_EXCERPT]}"
    wait = retry_after(headers)
    if status == 429:
        return RateLimited(said, DEFAULT_PAUSE if wait is None else wait)
    if status == 418:
        return RateLimited(said, DEFAULT_BAN if wait is None else wait)
    if 200 <= status < 300:
        return None
    if status in _PERMANENT:
        return Permanent(_PERMANENT[status], said)
    if status == 503 and wait is not None:
        return Away(said, wait)
    return Transient(f"http_{status}", said)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of `Retry-After`; None where it is absent or no number (venues send seconds)."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def not_understood(text: str) -> Transient:
    """A 200 whose body is not what was asked for."""
    return Transient("not_understood", f"an answer of another kind: {text[:_EXCERPT]}")
