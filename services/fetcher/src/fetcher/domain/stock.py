"""What a worker may spend: the weight it was granted and has not spent."""

from dataclasses import dataclass, replace
from math import inf
from typing import Final

from candlelog.events.limits import BudgetGrantedV1
from candlelog.market.ledger import PROBE_WINDOW
from fetcher.domain.windows import seconds

PROBE_FRESH: Final = 3.0
"""Seconds after its arrival in which a grant may be spent on asking for exchange time while nobody
can say whether it is valid."""

AHEAD: Final = 10.0
"""Seconds before a grant may be spent at which it may come: one further ahead is of a clock that
was set back since."""


@dataclass(frozen=True, slots=True)
class Instant:
    """Exchange time lies in `[earliest, latest]`; both None while it is unknown. `suspect`: it
    may be from before the venue's clock was set."""

    steady: float
    earliest: float | None = None
    latest: float | None = None
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """Granted weight of one window. Times are exchange time, `received_at` our steady clock."""

    window_id: int
    weight: float
    not_before: float
    expires_at: float
    demand_offset: int
    received_at: float

    @classmethod
    def of(cls, grant: BudgetGrantedV1, received_at: float) -> "Holding":
        """What a grant brings."""
        return cls(
            window_id=grant.window_id,
            weight=grant.weight,
            not_before=seconds(grant.not_before),
            expires_at=seconds(grant.expires_at),
            demand_offset=grant.demand_offset,
            received_at=received_at,
        )

    def valid(self, now: Instant) -> bool:
        """Whether it may be spent now, wherever within its bounds exchange time is."""
        if self.window_id == PROBE_WINDOW or now.earliest is None or now.latest is None:
            return False
        return self.not_before <= now.earliest and now.latest <= self.expires_at

    def valid_for_time(self, now: Instant) -> bool:
        """Whether it may be spent on asking the venue's time. That may be unknown, or from before
        the venue's clock was set: by such a one nothing could be spent on learning the right one.
        """
        doubtful = now.earliest is None or now.suspect or self.window_id == PROBE_WINDOW
        fresh = now.steady - self.received_at <= PROBE_FRESH
        return self.valid(now) or (doubtful and fresh)

    def useful(self, now: Instant) -> bool:
        """Whether it can be spent now or later."""
        if now.earliest is None or now.latest is None or self.window_id == PROBE_WINDOW:
            return now.steady - self.received_at <= PROBE_FRESH
        return self.not_before - AHEAD <= now.earliest and now.latest <= self.expires_at


class Stock:
    """Holdings of one budget. A backoff empties it; only grants made in knowledge of the backoff
    (`demand_offset` past it) fill it again."""

    def __init__(self) -> None:
        self._halted_until = 0.0
        self._halt_offset: float = -1
        self._holdings: list[Holding] = []

    def add(self, holding: Holding) -> None:
        """Put a grant in; one made without knowledge of a backoff is dropped."""
        if holding.demand_offset > self._halt_offset:
            self._holdings.append(holding)

    def take(self, weight: float, now: Instant, *, for_time: bool = False) -> Holding | None:
        """Take `weight` of one window, or None when there is not so much to spend now."""
        for good in (Holding.valid, Holding.valid_for_time) if for_time else (Holding.valid,):
            fit = [held for held in self._holdings if good(held, now)]
            for window_id in sorted({held.window_id for held in fit}):
                parts = [held for held in fit if held.window_id == window_id]
                if sum(held.weight for held in parts) >= weight:
                    return self._withdraw(parts, weight)
        return None

    def held(self, now: Instant) -> float:
        """Weight that can be spent now or later; what has expired is thrown away."""
        self._holdings = [held for held in self._holdings if held.useful(now)]
        return sum(held.weight for held in self._holdings)

    def opens_in(self, now: Instant) -> float | None:
        """Seconds until more of what is held may be spent; None when nothing is to come."""
        if now.earliest is None:
            return None
        later = [
            held.not_before - now.earliest
            for held in self._holdings
            if held.window_id != PROBE_WINDOW and held.not_before > now.earliest
        ]
        return min(later, default=None)

    def pause(self, now: Instant, wall: float) -> float:
        """Seconds to leave the venue alone for, if above 0; by this machine's clock `wall` while
        exchange time is unknown. What is over by both stays over, also where the venue's clock is
        set back.
        """
        if now.earliest is None:
            return self._halted_until - wall
        if self._halted_until <= min(now.earliest, wall):
            self._halted_until = 0.0
        return self._halted_until - now.earliest

    def halt(self, until: float, demand_offset: float = inf) -> None:
        """Throw everything away and wait for grants past the backoff's offset in the demand.

        Without an offset the backoff was seen by this worker and is not on the log yet.
        """
        self.wait_until(until)
        known = self._halt_offset if self._halt_offset != inf else -1
        self._halt_offset = max(known, demand_offset)
        self._holdings = [h for h in self._holdings if h.demand_offset > self._halt_offset]

    def wait_until(self, until: float) -> None:
        """Spend nothing before `until`: a backoff that all who grant know of."""
        self._halted_until = max(self._halted_until, until)

    def still_valid(self, holding: Holding, now: Instant, *, for_time: bool = False) -> bool:
        """Whether what was taken may be spent at this very moment, unless there is a `pause`."""
        valid = holding.valid_for_time(now) if for_time else holding.valid(now)
        return valid and holding.demand_offset > self._halt_offset

    def _withdraw(self, parts: list[Holding], weight: float) -> Holding:
        """Take from the parts in order; what is taken is as good as the worst part of it."""
        missing, used = weight, list[Holding]()
        for part in parts:
            self._holdings.remove(part)
            piece = min(part.weight, missing)
            used.append(part)
            missing -= piece
            if part.weight > piece:
                self._holdings.append(replace(part, weight=part.weight - piece))
            if missing <= 0:
                break
        return replace(
            used[0],
            weight=weight,
            not_before=max(part.not_before for part in used),
            expires_at=min(part.expires_at for part in used),
            demand_offset=min(part.demand_offset for part in used),
            received_at=min(part.received_at for part in used),
        )
