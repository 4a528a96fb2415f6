"""Demand for budget, and the ledger of what may be spent. A budget is `exchange|egress|limit`."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from candlelog.events.event import Event
from candlelog.events.fields import Count, PositiveCount, Text, Time, Weight


class _BudgetEvent(Event):
    budget: Text

    @property
    def key(self) -> str:
        """The budget."""
        return self.budget


class BudgetRequestedV1(_BudgetEvent):
    """A worker wants `weight` beyond the grants it had read; its newest request replaces.

    `ledger_position` is how far it had read: grants at or past it are on their way to the worker
    and count against the wish, so a wish and a grant that cross on the log are not granted twice.
    `at_once` is the least of it that is of any use: what the first request that waits lacks.
    """

    ce_type: ClassVar[str] = "candlelog.limits.budget_requested.v1"
    topic: ClassVar[str] = "limits.demand"

    incarnation: UUID
    weight: Weight
    at_once: Weight = 0.0
    ledger_position: Count
    requested_at: Time


class UsageObservedV1(_BudgetEvent):
    """What the venue says was used of a window, by everybody behind this address."""

    ce_type: ClassVar[str] = "candlelog.limits.usage_observed.v1"
    topic: ClassVar[str] = "limits.demand"

    incarnation: UUID
    window_id: Count
    used: Weight
    spent_by_us: Weight
    """Weight this incarnation has spent in the window so far."""
    capacity: Annotated[Weight, Field(gt=0)] | None = None
    """The venue's own figure for the limit, where it states one."""
    observed_at: Time


class BackoffObservedV1(_BudgetEvent):
    """The venue told a worker to stop; every reader stops at once. `until` is exchange time."""

    ce_type: ClassVar[str] = "candlelog.limits.backoff_observed.v1"
    topic: ClassVar[str] = "limits.demand"

    incarnation: UUID
    until: Time
    reason: Text
    observed_at: Time


class AllocatorStartedV1(Event):
    """A new allocator has fenced the one before it; grants of older epochs stay valid."""

    ce_type: ClassVar[str] = "candlelog.limits.allocator_started.v1"
    topic: ClassVar[str] = "limits.ledger"

    allocator: UUID
    started_at: Time

    @property
    def key(self) -> str:
        """One allocator for all budgets."""
        return "allocator"


class AllocatorAliveV1(Event):
    """Written while there is demand but nothing to grant."""

    ce_type: ClassVar[str] = "candlelog.limits.allocator_alive.v1"
    topic: ClassVar[str] = "limits.ledger"

    allocator: UUID
    alive_at: Time

    @property
    def key(self) -> str:
        """One allocator for all budgets."""
        return "allocator"


class WindowOpenedV1(_BudgetEvent):
    """A window (a calendar minute in exchange time) begins; nothing granted before it counts,
    but for slots of an evenly spaced budget, which count until they expire.

    All times are exchange time; `window_id` is the number of the window since the epoch.
    """

    ce_type: ClassVar[str] = "candlelog.limits.window_opened.v1"
    topic: ClassVar[str] = "limits.ledger"

    allocator: UUID
    window_id: Count
    start: Time
    end: Time
    opened_at: Time
    capacity: Weight = Field(gt=0)
    foreign: Weight
    """Weight others behind this address are taken to use in the window."""
    last_granted: Weight
    last_used: Weight
    backoff_until: Time | None = None
    demand_offset: Count


class BudgetGrantedV1(_BudgetEvent):
    """`incarnation` may spend `weight` until `expires_at` (exchange time): within the window,
    or, of an evenly spaced budget, a little into the next.

    Window 0 is a probe: enough to ask the venue for its time, given where that is not yet known.
    """

    ce_type: ClassVar[str] = "candlelog.limits.budget_granted.v1"
    topic: ClassVar[str] = "limits.ledger"

    allocator: UUID
    window_id: Count
    incarnation: UUID
    sequence: PositiveCount
    weight: Weight = Field(gt=0)
    not_before: Time
    expires_at: Time
    demand_offset: Count
    """Offset in `limits.demand` up to which the allocator had read; a grant at or past a
    worker's backoff observation is what starts it again."""


class BackoffDeclaredV1(_BudgetEvent):
    """The allocator grants nothing before `until`."""

    ce_type: ClassVar[str] = "candlelog.limits.backoff_declared.v1"
    topic: ClassVar[str] = "limits.ledger"

    allocator: UUID
    until: Time
    reason: Text
    demand_offset: Count
