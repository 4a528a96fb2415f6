"""The ledger as its allocator needs it: beside what was granted, to whom, and where that stands."""

from dataclasses import dataclass, field
from uuid import UUID

from candlelog.events.event import Event
from candlelog.events.limits import BackoffDeclaredV1, BudgetGrantedV1, WindowOpenedV1
from candlelog.market.ledger import PROBE_WINDOW, LedgerPage
from fetcher.domain.windows import seconds


@dataclass(slots=True)
class Page(LedgerPage):
    """The newest window of one budget, and the grants of each worker."""

    resumed_at: float = 0.0
    """The end of the newest backoff that is over and forgotten."""
    latest_probe: float = float("-inf")
    """When the newest probe was given, by the clock of the allocator."""
    latest_expiry: float = float("-inf")
    """Of all grants that are no probes, whatever their window."""
    grants: dict[UUID, list[tuple[int, float]]] = field(default_factory=dict)
    """Offsets and weights of the grants of each worker since the window opened."""

    def granted_since(self, incarnation: UUID, position: int) -> float:
        """Weight granted to a worker at or past `position` of the ledger."""
        grants = self.grants.get(incarnation, ())
        return sum(weight for offset, weight in grants if offset >= position)

    def last_granted(self, incarnation: UUID) -> int:
        """The offset of the newest grant to a worker since the window opened, -1 for none."""
        return max((offset for offset, _ in self.grants.get(incarnation, ())), default=-1)

    def open(self, event: WindowOpenedV1) -> None:
        """Turn to the next window. A copy made before keeps what it had."""
        if event.window_id < self.window_id:
            self.latest_expiry = float("-inf")  # the clock that was ahead says nothing of slots
        LedgerPage.open(self, event)  # with slots a bare `super()` is of another class
        self.grants = {}

    def end_backoff(self, now: float) -> None:
        """A backoff that is over at that exchange time stays over, wherever that clock is set."""
        if 0.0 < self.backoff_until <= now:
            self.resumed_at, self.backoff_until = self.backoff_until, 0.0

    def grant(self, event: BudgetGrantedV1, offset: int) -> None:
        """Enter a grant; one of another window counts for nothing any more, but as a slot."""
        self.count(event)
        if self.counts(event):
            self.grants.setdefault(event.incarnation, []).append((offset, event.weight))
        if event.window_id == PROBE_WINDOW:
            self.latest_probe = seconds(event.not_before)
        else:
            self.latest_expiry = max(self.latest_expiry, seconds(event.expires_at))


class LedgerBook:
    """Everything read from, or written to, `limits.ledger` so far, a page for each budget."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}

    def page(self, budget: str) -> Page:
        """The page of a budget; an empty one for a budget nothing was written about."""
        return self.pages.setdefault(budget, Page())

    def apply(self, event: Event, offset: int) -> None:
        """Take in the record at `offset`."""
        match event:
            case WindowOpenedV1():
                self.page(event.budget).open(event)
            case BudgetGrantedV1():
                self.page(event.budget).grant(event, offset)
            case BackoffDeclaredV1():
                self.page(event.budget).declare(event)
            case _:
                pass
