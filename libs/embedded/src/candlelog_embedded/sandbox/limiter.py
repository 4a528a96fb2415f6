"""The request limit of the venue: weight by calendar minute, refusals, bans."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

_MINUTE: Final = 60_000
_KEPT_WINDOWS: Final = 10_000


class Verdict(IntEnum):
    """What the venue's gate says to an arrival, as an HTTP status."""

    ADMITTED = 200
    LIMITED = 429
    BANNED = 418


@dataclass(frozen=True, slots=True)
class Rules:
    """`capacity` is weight a minute, None for no limit. After `ban_after` refusals in one minute
    the venue bans for `ban_seconds`.
    """

    capacity: int | None = 6000
    ban_after: int = 10
    ban_seconds: float = 120.0


@dataclass(slots=True)
class Window:
    """What arrived in one calendar minute, refused requests included."""

    start: int
    weight: int = 0
    requests: int = 0
    limited: int = 0
    banned: int = 0


@dataclass(slots=True)
class Limiter:
    """Counts by arrival, on the venue's clock; times in milliseconds since the epoch."""

    rules: Rules = field(default_factory=Rules)
    banned_until: int = 0
    windows: dict[int, Window] = field(default_factory=dict[int, Window])

    def arrive(self, weight: int, now: int) -> Verdict:
        """Count one request of that weight and judge it."""
        window = self._window(now)
        window.requests += 1
        window.weight += weight
        if now < self.banned_until:
            window.banned += 1
            return Verdict.BANNED
        capacity = self.rules.capacity
        if capacity is None or window.weight <= capacity:
            return Verdict.ADMITTED
        window.limited += 1
        if window.limited > self.rules.ban_after:
            window.limited, window.banned = window.limited - 1, window.banned + 1
            self.ban(self.rules.ban_seconds, now)
            return Verdict.BANNED
        return Verdict.LIMITED

    def ban(self, seconds: float, now: int) -> None:
        """Refuse everything for that long; a longer ban stays."""
        self.banned_until = max(self.banned_until, now + round(seconds * 1000))

    def used(self, now: int) -> int:
        """Weight that arrived in the current minute."""
        return self._window(now).weight

    def retry_after(self, now: int) -> int:
        """Whole seconds until a refused request may come again."""
        end = self.banned_until if now < self.banned_until else now - now % _MINUTE + _MINUTE
        return max(1, -(-(end - now) // 1000))

    @property
    def violations(self) -> int:
        """Requests that a well-mannered client would not have sent: refused for any reason."""
        return sum(window.limited + window.banned for window in self.windows.values())

    def forget(self) -> None:
        """Begin counting anew, without a ban."""
        self.windows.clear()
        self.banned_until = 0

    def newest(self) -> Iterable[Window]:
        """The windows in which something arrived, newest first."""
        return (self.windows[start] for start in sorted(self.windows, reverse=True))

    def _window(self, now: int) -> Window:
        start = now - now % _MINUTE
        window = self.windows.get(start)
        if window is None:
            window = self.windows[start] = Window(start)
            if len(self.windows) > _KEPT_WINDOWS:
                del self.windows[min(self.windows)]
        return window
