"""What this process knows of the budgets there are: their terms, and their venues' clocks."""

from typing import Final

from candlelog.clock import Clock
from candlelog.errors import Invalid
from candlelog.market.ledger import exchange_of
from candlelog.market.profile import ExchangeProfile, profile
from fetcher.domain.granting import Terms
from fetcher.limits.venue_time import VenueTime


class Catalogue:
    """Budgets by their text form, `exchange|egress|limit`.

    `egress` names the outgoing address of this process, `ceiling` lowers every capacity.
    """

    def __init__(self, egress: str, ceiling: float | None, clock: Clock) -> None:
        self._egress: Final = egress
        self._ceiling: Final = ceiling
        self._clock = clock
        self._times: dict[str, VenueTime] = {}

    def budget_of(self, venue: ExchangeProfile) -> str:
        """The budget this process spends at a venue."""
        return f"{venue.name}|{self._egress}|{venue.budgets[0].name}"

    def time_of(self, exchange: str) -> VenueTime:
        """The clock of a venue."""
        if exchange not in self._times:
            resolution = profile(exchange).clock_resolution
            self._times[exchange] = VenueTime(self._clock, resolution)
        return self._times[exchange]

    def terms_of(self, budget: str) -> Terms | None:
        """What is fixed for a budget, or None for one this version knows nothing of."""
        try:
            venue = profile(exchange_of(budget))
        except Invalid:
            return None
        limit = venue.budgets[0]
        weights = venue.weights
        return Terms(
            budget=budget,
            capacity=limit.capacity,
            length=limit.window_seconds,
            ceiling=self._ceiling,
            worker_reserve=weights["klines"],
            probe=weights["exchange_info"] + 2 * weights["time"],
            time_weight=weights["time"],
            spaced=limit.kind == "spaced",
        )
