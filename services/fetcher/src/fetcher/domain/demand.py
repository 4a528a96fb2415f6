"""What `limits.demand` says: who wants how much, what the venue counted, who must wait."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from candlelog.events.event import Event
from candlelog.events.limits import BackoffObservedV1, BudgetRequestedV1, UsageObservedV1
from fetcher.domain.windows import seconds

WISH_SECONDS: Final = 3.0
"""A wish not repeated for so long is one of a worker that is gone or has enough."""
_WINDOWS: Final = 3
"""Of how many windows it is remembered what was used: of the one before, too, and of one more
where somebody was stopped and tells of it late."""


@dataclass(frozen=True, slots=True)
class Wish:
    """`weight` beyond the grants below `ledger_position`, useless in pieces below `at_once`;
    `heard_at` is our steady clock."""

    weight: float
    ledger_position: int
    heard_at: float
    at_once: float = 0.0


@dataclass(slots=True)
class Usage:
    """What was used of one window: the venue's own figure, and what each worker spent."""

    used: float = 0.0
    spent: dict[UUID, float] = field(default_factory=dict)

    @property
    def foreign(self) -> float:
        """What others behind this address have used. While a worker's report is on its way this
        is too much by what that worker spent meanwhile; too little by what was spent and is on its
        way to the venue, which the reserve is for."""
        return max(0.0, self.used - sum(self.spent.values()))


@dataclass(frozen=True, slots=True)
class Backoff:
    """Nobody asks the venue before `until` (exchange time), as observed at `offset`."""

    until: float
    offset: int
    reason: str


class DemandBook:
    """Everything read from `limits.demand` so far; `position` is the next offset."""

    def __init__(self) -> None:
        self.position = 0
        self._wishes: dict[str, dict[UUID, Wish]] = defaultdict(dict)
        self._usage: dict[str, dict[int, Usage]] = defaultdict(dict)
        self._capacity: dict[str, float] = {}
        self.backoffs: dict[str, Backoff] = {}
        """The backoff observed last, of each budget that ever had one."""

    def apply(self, event: Event, offset: int, heard_at: float) -> None:
        """Take in the record at `offset`."""
        self.position = max(self.position, offset + 1)
        match event:
            case BudgetRequestedV1():
                wish = Wish(event.weight, event.ledger_position, heard_at, event.at_once)
                self._wishes[event.budget][event.incarnation] = wish
            case UsageObservedV1():
                self._observe(event)
            case BackoffObservedV1():
                known = self.backoffs.get(event.budget)
                until = max(seconds(event.until), known.until if known else 0.0)
                self.backoffs[event.budget] = Backoff(until, offset, event.reason)
            case _:
                pass

    def wishes(self, budget: str, steady: float) -> dict[UUID, Wish]:
        """The wishes of a budget that still hold; older ones are forgotten."""
        fresh = {
            who: wish
            for who, wish in self._wishes[budget].items()
            if steady - wish.heard_at <= WISH_SECONDS and wish.weight > 0
        }
        self._wishes[budget] = fresh
        return fresh

    def open_budgets(self, steady: float) -> list[str]:
        """The budgets somebody wants something of."""
        return [budget for budget in list(self._wishes) if self.wishes(budget, steady)]

    def usage(self, budget: str, window_id: int) -> Usage | None:
        """What is known of the use of that window, if anything was reported."""
        return self._usage[budget].get(window_id)

    def capacity(self, budget: str) -> float | None:
        """The venue's own figure for the limit, where it has stated one."""
        return self._capacity.get(budget)

    def backoff(self, budget: str) -> Backoff | None:
        """The backoff observed last."""
        return self.backoffs.get(budget)

    def end_backoff(self, budget: str, now: float) -> None:
        """A backoff that is over at that exchange time stays over, wherever that clock is set."""
        if (backoff := self.backoffs.get(budget)) is not None and backoff.until <= now:
            del self.backoffs[budget]

    def _observe(self, event: UsageObservedV1) -> None:
        if event.capacity is not None:
            self._capacity[event.budget] = event.capacity
        usages = self._usage[event.budget]
        # Those heard of last are kept, not the newest: a clock that was ahead may be set back.
        usage = usages[event.window_id] = usages.pop(event.window_id, None) or Usage()
        if len(usages) > _WINDOWS:
            del usages[next(iter(usages))]
        usage.used = max(usage.used, event.used)
        spent = usage.spent.get(event.incarnation, 0.0)
        usage.spent[event.incarnation] = max(spent, event.spent_by_us)
