"""What `limits.ledger` says of a budget: the window that is open, and what was granted of it."""

from dataclasses import dataclass, field
from typing import Final

from candlelog.events.limits import BackoffDeclaredV1, BudgetGrantedV1, WindowOpenedV1

PROBE_WINDOW: Final = 0
"""Grants of this window may be spent at once, to ask the venue for its time."""
_EARLIER: Final = 5
"""Of how many windows before it is remembered what was granted."""


@dataclass(slots=True)
class LedgerPage:
    """The newest window of one budget. `window` is None until one was opened."""

    window: WindowOpenedV1 | None = None
    granted: float = 0.0
    probes: float = 0.0
    """Probes given since the last window opened: they count against this window and the next."""
    backoff_until: float = 0.0
    """Exchange time, in seconds since the epoch; 0 for none."""
    earlier: dict[int, float] = field(default_factory=dict[int, float])
    """What was granted of the windows before."""

    @property
    def window_id(self) -> int:
        """The number of the window, 0 when none was opened yet."""
        return 0 if self.window is None else self.window.window_id

    def counts(self, event: BudgetGrantedV1) -> bool:
        """Whether a grant counts against the window that is open."""
        return event.window_id in {self.window_id, PROBE_WINDOW}

    def open(self, event: WindowOpenedV1) -> None:
        """Turn to the next window. A copy made before keeps what it had."""
        # After the venue's clock was set back, something may have been granted of it before.
        known = {**self.earlier, self.window_id: self.granted}
        self.earlier = dict(list(known.items())[-_EARLIER:])
        self.window = event
        self.granted, self.probes = self.probes + self.earlier.pop(event.window_id, 0.0), 0.0
        if event.backoff_until is not None:
            self.backoff_until = max(self.backoff_until, event.backoff_until.timestamp())

    def count(self, event: BudgetGrantedV1) -> None:
        """Count a grant; one of another window is worth nothing any more."""
        if self.counts(event):
            self.granted += event.weight
        if event.window_id == PROBE_WINDOW:
            self.probes += event.weight

    def declare(self, event: BackoffDeclaredV1) -> None:
        """Take in that the venue is left alone, and until when."""
        self.backoff_until = max(self.backoff_until, event.until.timestamp())


def exchange_of(budget: str) -> str:
    """The exchange a budget belongs to."""
    return budget.split("|", 1)[0]
