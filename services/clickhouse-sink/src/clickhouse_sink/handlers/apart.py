"""Events that are handled one by one, among those that are handled many at once."""

from collections.abc import Awaitable, Callable, Sequence

from candlelog.events.event import Event
from candlelog.log.handling import Handle
from candlelog.log.outcome import Outcome, Skip
from candlelog.log.types import Received

_AGAIN = Skip("asked for a moment ago")

HandleOne = Callable[[Received], Awaitable[Outcome]]


class Apart:
    """Has all events handled by `together`, which skips those of `kind`; then these, in order,
    of equal ones the first alone: whoever crashed has asked twice for what comes next.
    """

    def __init__(self, together: Handle, kind: type[Event], one: HandleOne) -> None:
        self._together = together
        self._kind = kind
        self._one = one

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """One outcome for each event. Raises `Unavailable`."""
        outcomes = await self._together(received)
        seen: list[object] = []
        found: list[Outcome] = []
        for item, outcome in zip(received, outcomes, strict=True):
            if not isinstance(item.event, self._kind):
                found.append(outcome)
            elif item.event in seen:
                found.append(_AGAIN)
            else:
                found.append(await self._one(item))
                seen.append(item.event)
        return found
