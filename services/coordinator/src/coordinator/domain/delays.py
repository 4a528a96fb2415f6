"""How long to wait: leases and retries."""

from datetime import timedelta
from typing import Final

from coordinator.domain.routes import Route

LEASES: Final = {
    Route.REST: timedelta(seconds=60),
    Route.ARCHIVE: timedelta(minutes=5),
    Route.FEATURES: timedelta(minutes=5),
}
"""A file is looked through before its first part comes, and may wait for others before that; each
part begins the lease anew. Features wait for those of the candles before them on the log, and are
asked for anew only as a last resort: two requests for the same are computed twice."""
_LONGEST_DOUBLING: Final = 4
_RETRY_FIRST_SECONDS: Final = 4.0
"""Three attempts outlast the seconds of errors after which a fetcher leaves its venue alone: then
they are not used up any more."""
_RETRY_MOST_SECONDS: Final = 60.0


def lease(route: Route, lapses: int) -> timedelta:
    """How long a released chunk may take to be fetched, or for its next part, or to be computed,
    after `lapses` lost leases.

    It doubles up to sixteen times over: while nobody works at all, the log would otherwise fill
    with requests for the same few chunks.
    """
    return LEASES[route] * 2 ** min(lapses, _LONGEST_DOUBLING)


def retry_delay(attempt: int, jitter: float) -> timedelta:
    """Exponential back-off after failed attempt number `attempt` (from 1), half of it jitter.

    `jitter` is a random number in `[0, 1)`.
    """
    most = min(_RETRY_MOST_SECONDS, _RETRY_FIRST_SECONDS * 2 ** (attempt - 1))
    return timedelta(seconds=most * (1 + jitter) / 2)
