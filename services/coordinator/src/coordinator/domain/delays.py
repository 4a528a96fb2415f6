"""How long to wait: leases and retries."""

from datetime import timedelta
from typing import Final

LEASE: Final = timedelta(seconds=60)
_LONGEST_DOUBLING: Final = 4
_RETRY_FIRST_SECONDS: Final = 1.0
_RETRY_MOST_SECONDS: Final = 60.0


def lease(lapses: int) -> timedelta:
    """How long a released chunk may take to be fetched, after `lapses` lost leases.

    It doubles up to sixteen times over: while no fetcher works at all, the log would otherwise
    fill with requests for the same few chunks.
    """
    return LEASE * 2 ** min(lapses, _LONGEST_DOUBLING)


def retry_delay(attempt: int, jitter: float) -> timedelta:
    """Exponential back-off with full jitter after failed attempt number `attempt` (from 1).

    `jitter` is a random number in `[0, 1)`.
    """
    most = min(_RETRY_MOST_SECONDS, _RETRY_FIRST_SECONDS * 2 ** (attempt - 1))
    return timedelta(seconds=jitter * most)
