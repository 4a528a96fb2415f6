"""The state of every budget, as the ledger tells it."""

from dataclasses import dataclass, field
from datetime import datetime
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


@dataclass(slots=True)
class Budget:
    """One budget in its newest window; weights in the venue's unit."""

    window: WindowOpenedV1 | None = None
    granted: float = 0.0
    used: tuple[int, float] | None = None
    """Window id, and the most that the venue said was used in it by everybody."""
    backoff_until: datetime | None = None


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
        if budget.window is None or event.window_id > budget.window.window_id:
            budget.granted = 0.0
        budget.window = event
        if event.backoff_until is not None:
            _back_off(budget, event.backoff_until)


def _back_off(budget: Budget, until: datetime) -> None:
    budget.backoff_until = max(budget.backoff_until or until, until)


def _use(budget: Budget, event: UsageObservedV1) -> None:
    seen = (event.window_id, event.used)
    budget.used = max(budget.used or seen, seen)
