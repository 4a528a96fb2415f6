"""Backoffs the ledger must tell of, whether or not anybody wants something of their budgets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from candlelog.events.limits import BackoffDeclaredV1
from fetcher.domain.demand import DemandBook
from fetcher.domain.ledger import LedgerBook
from fetcher.domain.windows import moment

_LATE: Final = 60.0
"""A venue's clock may be so many seconds behind this machine's: rather too long than too short."""


@dataclass(frozen=True, slots=True)
class Backoffs:
    """What stands on the ledger and what was observed, as `allocator` sees it.

    Times are seconds since the epoch, on this machine's clock.
    """

    ledger: LedgerBook
    demand: DemandBook
    allocator: UUID

    def news(self, now: float) -> list[BackoffDeclaredV1]:
        """Declarations of those that do not stand on the ledger yet."""
        ends = self._ends(now)
        return self._declarations(
            {
                budget: until
                for budget, until in ends.items()
                if until > self.ledger.page(budget).backoff_until
            }
        )

    def in_force(self, now: float) -> list[BackoffDeclaredV1]:
        """Declarations of all, those that were declared before among them."""
        return self._declarations(self._ends(now))

    def _ends(self, now: float) -> dict[str, float]:
        ends = {budget: page.backoff_until for budget, page in self.ledger.pages.items()}
        for budget, backoff in self.demand.backoffs.items():
            ends[budget] = max(backoff.until, ends.get(budget, 0.0))
        return {budget: until for budget, until in ends.items() if until > now - _LATE}

    def _declarations(self, ends: Mapping[str, float]) -> list[BackoffDeclaredV1]:
        return [
            BackoffDeclaredV1(
                budget=budget,
                allocator=self.allocator,
                until=moment(until),
                reason=self._reason(budget, until),
                demand_offset=self.demand.position,
            )
            for budget, until in ends.items()
        ]

    def _reason(self, budget: str, until: float) -> str:
        observed = self.demand.backoff(budget)
        if observed is None or observed.until < until:
            return "still in force"
        return observed.reason
