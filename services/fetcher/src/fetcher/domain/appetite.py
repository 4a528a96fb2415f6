"""How much weight a worker asks for, so that its requests neither wait nor hoard."""

from typing import Final

LOOK_AHEAD: Final = 1.5
"""Seconds of the present rate of spending kept in hand."""
LOW: Final = 0.6
"""A new wish is sent when hand and expectation fall below this part of what is wanted."""
REPEAT_SECONDS: Final = 1.0
"""A wish that is not met is repeated, so that the allocator knows the worker lives."""


class Appetite:
    """Turns spending into wishes. Weights are totals since the worker began.

    `hoards` is whether more than what waits is asked for, so that what comes next need not wait.
    """

    def __init__(self, *, hoards: bool) -> None:
        self._hoards = hoards
        self._rate = 0.0
        self._at: float | None = None
        self._spent = 0.0
        self._wish = 0.0
        self._received_then = 0.0
        self._wished_at = float("-inf")

    def wish(
        self, now: float, *, waiting: float, held: float, spent: float, received: float
    ) -> float | None:
        """The weight to ask for beyond what was received, or None when nothing need be said.

        `now` is our steady clock; `waiting` is wanted by requests that wait, `held` lies in hand.
        """
        self._follow(now, spent)
        wanted = 2 * waiting + self._rate * LOOK_AHEAD if self._hoards else waiting
        expected = max(0.0, self._wish - (received - self._received_then))
        missing = wanted - held
        repeat = waiting > 0 and now - self._wished_at >= REPEAT_SECONDS
        if missing < 1 or (held + expected >= LOW * wanted and not repeat):
            return None
        self._wish, self._received_then, self._wished_at = float(int(missing)), received, now
        return self._wish

    def forget(self) -> None:
        """The last wish did not reach the log."""
        self._wish, self._wished_at = 0.0, float("-inf")

    def _follow(self, now: float, spent: float) -> None:
        """Keep the rate of spending: half of it is what the last moments showed."""
        if self._at is None:
            self._at, self._spent = now, spent
        elapsed = now - self._at
        if elapsed >= 0.2:
            self._rate = (self._rate + (spent - self._spent) / elapsed) / 2
            self._at, self._spent = now, spent
