"""What `limits.ledger` says: the window that is open, and what was granted of it."""

from dataclasses import dataclass, field
from uuid import UUID

from candlelog.events.event import Event
from candlelog.events.limits import BackoffDeclaredV1, BudgetGrantedV1, WindowOpenedV1
from fetcher.domain.windows import seconds

PROBE_WINDOW = 0
"""Grants of this window may be spent at once, to ask the venue for its time."""
_EARLIER = 5
"""Of how many windows before it is remembered what was granted."""


@dataclass(slots=True)
class Page:
    """The newest window of one budget. `window` is None until one was opened."""

    window: WindowOpenedV1 | None = None
    granted: float = 0.0
    probes: float = 0.0
    """Probes given since the last window opened: they count against this window and the next."""
    backoff_until: float = 0.0
    resumed_at: float = 0.0
    """The end of the newest backoff that is over and forgotten."""
    latest_probe: float = float("-inf")
    """When the newest probe was given, by the clock of the allocator."""
    latest_expiry: float = float("-inf")
    """Of all grants that are no probes, whatever their window."""
    grants: dict[UUID, list[tuple[int, float]]] = field(default_factory=dict)
    """Offsets and weights of the grants of each worker since the window opened."""
    earlier: dict[int, float] = field(default_factory=dict[int, float])
    """What was granted of the windows before."""

    @property
    def window_id(self) -> int:
        """The number of the window, 0 when none was opened yet."""
        return 0 if self.window is None else self.window.window_id

    def granted_since(self, incarnation: UUID, position: int) -> float:
        """Weight granted to a worker at or past `position` of the ledger."""
        grants = self.grants.get(incarnation, ())
        return sum(weight for offset, weight in grants if offset >= position)

    def last_granted(self, incarnation: UUID) -> int:
        """The offset of the newest grant to a worker since the window opened, -1 for none."""
        return max((offset for offset, _ in self.grants.get(incarnation, ())), default=-1)

    def open(self, event: WindowOpenedV1) -> None:
        """Turn to the next window: what was granted of the last one is worth nothing now. After the
        venue's clock was set back it may be one of which something was granted before. A copy
        made before keeps what it had."""
        if event.window_id < self.window_id:
            self.latest_expiry = float("-inf")  # the clock that was ahead says nothing of slots
        known = {**self.earlier, self.window_id: self.granted}
        self.earlier = dict(list(known.items())[-_EARLIER:])
        self.window = event
        self.granted, self.probes = self.probes + self.earlier.pop(event.window_id, 0.0), 0.0
        self.grants = {}
        if event.backoff_until is not None:
            self.backoff_until = max(self.backoff_until, seconds(event.backoff_until))

    def end_backoff(self, now: float) -> None:
        """A backoff that is over at that exchange time stays over, wherever that clock is set."""
        if 0.0 < self.backoff_until <= now:
            self.resumed_at, self.backoff_until = self.backoff_until, 0.0

    def grant(self, event: BudgetGrantedV1, offset: int) -> None:
        """Enter a grant; one of another window counts for nothing any more, but as a slot."""
        if event.window_id in {self.window_id, PROBE_WINDOW}:
            self.granted += event.weight
            self.grants.setdefault(event.incarnation, []).append((offset, event.weight))
        if event.window_id == PROBE_WINDOW:
            self.probes += event.weight
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
                page = self.page(event.budget)
                page.backoff_until = max(page.backoff_until, seconds(event.until))
            case _:
                pass
