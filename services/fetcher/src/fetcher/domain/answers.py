"""Sorting what a venue answered: the one place where its words become ours."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from fetcher.domain.failures import Away, Permanent, RateLimited, Transient, VenueFailure

DEFAULT_PAUSE: Final = 60.0
"""Seconds to wait after a 429 that does not say how long: a window."""
DEFAULT_BAN: Final = 120.0
"""Seconds to wait after a 418 that does not say how long: the shortest ban there is."""
LONGEST_BAN: Final = 259_200.0
"""Seconds of the longest ban there is, three days: whoever says more means something else."""
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
    said = f"HTTP {status}: {excerpt(text)}"
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
    """Seconds of `Retry-After`, `LONGEST_BAN` at most and one at least, as a venue may round down;
    None where it is absent or no number."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(seconds, 1.0), LONGEST_BAN) if seconds >= 0 else None


def date_of(headers: Mapping[str, str]) -> float | None:
    """`Date` in seconds since the epoch; None where it is absent, no date, or a cache's."""
    if "age" in headers:
        return None
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=date.tzinfo or UTC).timestamp()


def count(text: str) -> float | None:
    """Weight a venue says it counted; None for a text that is no such number."""
    return float(text) if text.isdecimal() and len(text) < 16 else None


def not_understood(text: str) -> Transient:
    """A 200 whose body is not what was asked for."""
    return Transient("not_understood", f"an answer of another kind: {excerpt(text)}")


def excerpt(text: str) -> str:
    """As much of a venue's words as a message quotes."""
    return text[:_EXCERPT]
