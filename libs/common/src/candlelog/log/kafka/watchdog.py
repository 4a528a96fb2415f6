"""Tells a reader that starves from one that has nothing to read."""

from typing import Final

_LOOK_SECONDS: Final = 5.0
_STARVED_SECONDS: Final = 30.0


class Watchdog:
    """Readings of a monotonic clock in, a verdict out.

    A reader starves when it was seen to be behind, and for 30 s got nothing.
    """

    def __init__(self, now: float) -> None:
        self._looked_at = now
        self._behind_since: float | None = None

    def fed(self, now: float) -> None:
        """Records came."""
        self._looked_at = now
        self._behind_since = None

    def due(self, now: float) -> bool:
        """Whether to look how far behind the reader is; at most every 5 s of silence."""
        if now - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = now
        return True

    def starving(self, now: float, *, behind: bool) -> bool:
        """What was seen: whether there is more to read. True when that is so for 30 s."""
        if not behind:
            self._behind_since = None
            return False
        if self._behind_since is None:
            self._behind_since = now
        return now - self._behind_since >= _STARVED_SECONDS
