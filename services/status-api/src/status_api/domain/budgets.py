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
from candlelog.market.ledger import LedgerPage, exchange_of
from candlelog.market.profile import profile

_AT_WORK: Final = timedelta(minutes=10)
"""An egress whose windows ended so long before those of another has gone."""


@dataclass(slots=True)
class Budget(LedgerPage):
    """One budget in its newest window; weights in the venue's unit."""

    used: tuple[int, float] | None = None
    """Window id, and the most that the venue said was used in it by everybody."""

    @property
    def used_now(self) -> float | None:
        """What was used in the newest window, as far as the venue has said."""
        if self.window is None or self.used is None:
            return None
        window_id, used = self.used
        return used if window_id == self.window.window_id else None

    @property
    def utilisation(self) -> float | None:
        """What is used over the capacity, above 1 where others use more than a ceiling: as the
        venue says, or, while it has said nothing, in the window before. Of a spaced budget no
        venue says: what is granted."""
        if self.window is None:
            return None
        if profile(exchange_of(self.window.budget)).budgets[0].kind == "spaced":
            used = self.granted
        else:
            used = self.window.last_used if self.used_now is None else self.used_now
        return round(used / self.window.capacity, 4)

    def open(self, event: WindowOpenedV1) -> None:
        """Turn to the next window."""
        if self.used is not None and self.used[0] > event.window_id:
            self.used = None  # the venue's clock was ahead, and was set back
        LedgerPage.open(self, event)  # with slots a bare `super()` is of another class

    def observe(self, event: UsageObservedV1) -> None:
        """Take in what the venue says was used: of the newest window it spoke of, the most."""
        seen = (event.window_id, event.used)
        self.used = max(self.used or seen, seen)


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
        if exchange_of(name) == exchange and budget.window is not None
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
                self.allocator = event.allocator
                self._budget(event.budget).open(event)
            case BudgetGrantedV1():
                self._budget(event.budget).count(event)
            case BackoffDeclaredV1():
                self._budget(event.budget).declare(event)
            case UsageObservedV1():
                self._budget(event.budget).observe(event)
            case _:
                pass

    def _budget(self, name: str) -> Budget:
        return self.budgets.setdefault(name, Budget())
