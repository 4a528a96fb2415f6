"""The state of every budget, as the ledger tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from candlelog.events.codec import Message
from candlelog.events.limits import (
    AllocatorAliveV1,
    AllocatorStartedV1,
    BackoffDeclaredV1,
    BudgetGrantedV1,
    UsageObservedV1,
    WindowOpenedV1,
)
from candlelog.market.profile import profile

_AT_WORK: Final = timedelta(minutes=10)
"""An egress whose windows ended so long before those of another has gone."""


@dataclass(slots=True)
class Budget:
    """One budget in its newest window; weights in the venue's unit."""

    window: WindowOpenedV1 | None = None
    granted: float = 0.0
    used: tuple[int, float] | None = None
    """Window id, and the most that the venue said was used in it by everybody."""
    backoff_until: datetime | None = None

    @property
    def used_now(self) -> float | None:
        """What was used in the newest window, as far as the venue has said."""
        if self.window is None or self.used is None:
            return None
        window_id, used = self.used
        return used if window_id == self.window.window_id else None

    @property
    def utilisation(self) -> float | None:
        """The part of the capacity that is used, 0 to 1: as the venue says, or, while it has said
        nothing, in the window before. Of a spaced budget no venue says: what is granted."""
        if self.window is None:
            return None
        if profile(self.window.budget.split("|")[0]).budgets[0].kind == "spaced":
            used = self.granted
        else:
            used = self.window.last_used if self.used_now is None else self.used_now
        return round(used / self.window.capacity, 4)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the budget of an exchange allows: `capacity` in each window of `length` seconds, of
    which `elapsed` have passed of the one at hand, and `granted` is given away. Of a budget that is
    `spaced` nothing is at hand: what nobody took in time is lost."""

    capacity: float
    length: float
    elapsed: float
    granted: float
    spaced: bool = False

    @property
    def capacity_per_minute(self) -> float:
        """The capacity, whatever the length of a window is."""
        return self.capacity * 60 / self.length

    def seconds(self, weight: float) -> float:
        """How long that weight takes to be granted: a window's comes evenly over its time."""
        if not weight:
            return 0.0
        if self.spaced:
            return weight / self.capacity * self.length
        windows = (self.granted + weight) / self.capacity
        return max(0.0, windows * self.length - self.elapsed)


def outlook(budgets: Mapping[str, Budget], exchange: str, now: datetime) -> Outlook:
    """The budgets of all egresses at work; before there is one, what the profile states."""
    stated = profile(exchange).budgets[0]
    known = [
        (budget, budget.window)
        for name, budget in budgets.items()
        if name.split("|")[0] == exchange and budget.window is not None
    ]
    newest = max((window.end for _, window in known), default=now)
    at_work = [pair for pair in known if newest - pair[1].end < _AT_WORK]
    return Outlook(
        capacity=sum(window.capacity for _, window in at_work) or stated.capacity,
        length=stated.window_seconds,
        elapsed=now.timestamp() % stated.window_seconds,
        granted=sum(budget.granted for budget, window in at_work if window.end > now),
        spaced=stated.kind == "spaced",
    )


@dataclass(slots=True)
class Ledger:
    """All budgets, and who allocates; fed in log order."""

    budgets: dict[str, Budget] = field(default_factory=dict[str, Budget])
    allocator: UUID | None = None

    def read(self, event: Message) -> None:
        """Take one event of `limits.ledger` or `limits.demand` in."""
        match event:
            case AllocatorStartedV1() | AllocatorAliveV1():
                self.allocator = event.allocator
            case WindowOpenedV1():
                self._opened(self._budget(event.budget), event)
            case BudgetGrantedV1():
                budget = self._budget(event.budget)
                if budget.window is not None and budget.window.window_id == event.window_id:
                    budget.granted += event.weight
            case BackoffDeclaredV1():
                _back_off(self._budget(event.budget), event.until)
            case UsageObservedV1():
                _use(self._budget(event.budget), event)
            case _:
                pass

    def _budget(self, name: str) -> Budget:
        return self.budgets.setdefault(name, Budget())

    def _opened(self, budget: Budget, event: WindowOpenedV1) -> None:
        self.allocator = event.allocator
        if budget.window is None or event.window_id != budget.window.window_id:
            budget.granted = 0.0
            if budget.used is not None and budget.used[0] > event.window_id:
                budget.used = None  # the venue's clock was ahead, and was set back
        budget.window = event
        if event.backoff_until is not None:
            _back_off(budget, event.backoff_until)


def _back_off(budget: Budget, until: datetime) -> None:
    budget.backoff_until = max(budget.backoff_until or until, until)


def _use(budget: Budget, event: UsageObservedV1) -> None:
    seen = (event.window_id, event.used)
    budget.used = max(budget.used or seen, seen)
