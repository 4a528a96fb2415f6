"""The allocator's decision about one budget: what to write to the ledger now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from candlelog.events.limits import BackoffDeclaredV1, BudgetGrantedV1, WindowOpenedV1
from candlelog.market.ledger import PROBE_WINDOW
from fetcher.domain.demand import Backoff, DemandBook, Wish
from fetcher.domain.ledger import Page
from fetcher.domain.pacing import Limits, Standing, allowance, to_come
from fetcher.domain.sharing import share
from fetcher.domain.spacing import CLOCKS_APART, SLOT_SECONDS, next_slot
from fetcher.domain.windows import Window, moment, seconds, window_at

GRANT_SECONDS: Final = 0.25
"""While the pace is the limit, a grant is put off until it is worth so many seconds of it."""
TIME_PROBE_SECONDS: Final = 5.0
"""How long a grant to ask the venue for its time is good for."""
PUNCTUAL: Final = 2.0
"""A window opened at most so many seconds after its start begins with nothing used."""
SET_SECONDS: Final = 0.5
"""Seconds of the pace that may be on their way when the venue's clock is set: until an answer tells
of it, they count in another window than the one they were granted of."""
NOTICEABLE: Final = 0.01
"""Foreign use below this part of the capacity is taken for a report on its way."""

Written = WindowOpenedV1 | BudgetGrantedV1 | BackoffDeclaredV1


@dataclass(frozen=True, slots=True)
class Moment:
    """Now: exchange time, how far that may be off, and our own steady clock, in seconds."""

    exchange: float
    uncertainty: float
    steady: float


@dataclass(frozen=True, slots=True)
class Terms:
    """What is fixed for one budget. `ceiling` only lowers what is taken of the capacity, whatever
    others use; `worker_reserve` is the weight one stopped worker can still send, `time_weight` that
    of asking the venue's time."""

    budget: str
    capacity: float
    length: float
    ceiling: float | None
    worker_reserve: float
    probe: float
    time_weight: float
    spaced: bool = False
    """Whether weight is granted one by one at even distances."""

    def limits(self, stated: float | None, workers: int) -> Limits:
        """The limits in force with what the venue has stated and `workers` at work."""
        stated = self.capacity if stated is None else stated
        capacity = stated if self.ceiling is None else min(stated, self.ceiling)
        reserve = self.worker_reserve * max(1, workers) + SET_SECONDS * capacity / self.length
        return Limits(stated, capacity, self.length, reserve, self.probe)


@dataclass(frozen=True, slots=True)
class Account:
    """One budget as its allocator sees it: what stands on the ledger, and what is wanted."""

    terms: Terms
    page: Page
    demand: DemandBook
    allocator: UUID

    def entries(self, now: Moment) -> list[Written]:
        """Records to write now, in order: a backoff, the opening of a window, grants."""
        written: list[Written] = []
        page = self.page
        backoff = self.demand.backoff(self.terms.budget)
        if backoff is not None and backoff.until > max(page.backoff_until, now.exchange):
            page = replace(page, backoff_until=backoff.until)
            written.append(self._declaration(backoff))
        window = window_at(now.exchange - now.uncertainty, self.terms.length)
        if window.id == page.window_id - 1:
            return written  # it is just over, by the clock of who opened the next one
        if window.id != page.window_id:  # a lower one: the venue's clock was set back
            opening = self._opening(page, window, now)
            page = replace(page)  # a copy: the book is opened when this is written
            page.open(opening)
            written.append(opening)
        return [*written, *self._grants(page, window, now)]

    def probes(self, now: Moment) -> list[Written]:
        """Grants to write while exchange time is unknown: one question for it to each worker."""
        backoff = self.demand.backoff(self.terms.budget)
        if max(self.page.backoff_until, backoff.until if backoff else 0.0) > now.exchange:
            return []
        wanting = [
            incarnation
            for incarnation, wish in self.demand.wishes(self.terms.budget, now.steady).items()
            if self.page.granted_since(incarnation, wish.ledger_position) == 0
        ]
        if self.terms.spaced and wanting:  # one after the other, like slots
            limits = self.terms.limits(self.demand.capacity(self.terms.budget), 1)
            # The latest may be of an allocator whose clock is ahead of ours.
            if abs(now.exchange - self.page.latest_probe) < limits.length / limits.capacity:
                return []
            wanting = [min(wanting, key=self.page.last_granted)]
        return [
            self._grant(
                window_id=PROBE_WINDOW,
                incarnation=incarnation,
                sequence=sequence,
                weight=self.terms.time_weight,
                not_before=now.exchange,
                expires_at=now.exchange + TIME_PROBE_SECONDS,
            )
            for sequence, incarnation in enumerate(wanting, start=1)
        ]

    def _declaration(self, backoff: Backoff) -> BackoffDeclaredV1:
        return BackoffDeclaredV1(
            budget=self.terms.budget,
            allocator=self.allocator,
            until=moment(backoff.until),
            reason=backoff.reason,
            demand_offset=self.demand.position,
        )

    def _opening(self, page: Page, window: Window, now: Moment) -> WindowOpenedV1:
        last = self.demand.usage(self.terms.budget, page.window_id)
        capacity = self.terms.limits(self.demand.capacity(self.terms.budget), 1).capacity
        foreign = last.foreign if last is not None and page.window_id == window.id - 1 else 0.0
        return WindowOpenedV1(
            budget=self.terms.budget,
            allocator=self.allocator,
            window_id=window.id,
            start=moment(window.start),
            end=moment(window.end),
            opened_at=moment(now.exchange),
            capacity=capacity,
            foreign=foreign if foreign > NOTICEABLE * capacity else 0.0,
            last_granted=page.granted,
            last_used=last.used if last is not None else 0.0,
            backoff_until=(
                moment(page.backoff_until) if page.backoff_until > window.start else None
            ),
            demand_offset=self.demand.position,
        )

    def _grants(self, page: Page, window: Window, now: Moment) -> list[BudgetGrantedV1]:
        wishes = self._wanted(page, now)
        wanted = {who: wish.weight for who, wish in wishes.items()}
        stated = self.demand.capacity(self.terms.budget)
        limits = self.terms.limits(stated, len(page.grants.keys() | wanted.keys()))
        if self.terms.spaced:
            return self._slots(page, limits, wanted, now)
        standing = self._standing(page, window, now.exchange)
        amount = allowance(limits, window, standing, now.exchange)
        quantum = min(limits.capacity / limits.length * GRANT_SECONDS, limits.probe)
        if not wanted or amount < min(sum(wanted.values()), quantum):
            return []
        turn = sum(len(grants) for grants in page.grants.values())
        ahead = to_come(limits, window, standing, now.exchange)
        shares = self._shares(amount, ahead, page, wishes, turn=turn)
        return [
            self._grant(
                window_id=window.id,
                incarnation=incarnation,
                sequence=turn + number,
                weight=weight,
                not_before=window.not_before,
                expires_at=window.expires_at,
            )
            for number, (incarnation, weight) in enumerate(shares.items(), start=1)
        ]

    def _shares(
        self, amount: float, ahead: float, page: Page, wishes: Mapping[UUID, Wish], *, turn: int
    ) -> dict[UUID, float]:
        """Equal shares. But where one needs more than that at once, it is of no use to him: whoever
        waits longest for so much is given it first, and waited for while it can still come."""
        wanted = {who: wish.weight for who, wish in wishes.items()}
        level = amount // len(wishes)
        large = [who for who, wish in wishes.items() if level < wish.at_once <= ahead]
        if not large:
            return share(amount, wanted, turn=turn)
        first = min(large, key=page.last_granted)
        piece = wishes[first].at_once
        if piece > amount:
            return {}
        wanted[first] -= piece
        given = share(amount - piece, wanted, turn=turn)
        return given | {first: given.get(first, 0.0) + piece}

    def _slots(
        self, page: Page, limits: Limits, wanted: Mapping[UUID, float], now: Moment
    ) -> list[BudgetGrantedV1]:
        """The slot that has come, for the one that waits since its last grant longest."""
        last = page.latest_expiry - SLOT_SECONDS
        slot = next_slot(limits.length / limits.capacity, last, now.exchange)
        if not wanted or slot is None or now.exchange < page.backoff_until:
            return []
        assert page.window is not None
        incarnation = min(wanted, key=page.last_granted)
        return [
            self._grant(
                window_id=page.window_id,
                incarnation=incarnation,
                sequence=1 + sum(len(grants) for grants in page.grants.values()),
                weight=1.0,
                not_before=slot - CLOCKS_APART,
                expires_at=slot + SLOT_SECONDS,
            )
        ]

    def _grant(
        self,
        *,
        window_id: int,
        incarnation: UUID,
        sequence: int,
        weight: float,
        not_before: float,
        expires_at: float,
    ) -> BudgetGrantedV1:
        """A grant of this budget, as of what was read of the demand."""
        return BudgetGrantedV1(
            budget=self.terms.budget,
            allocator=self.allocator,
            window_id=window_id,
            incarnation=incarnation,
            sequence=sequence,
            weight=weight,
            not_before=moment(not_before),
            expires_at=moment(expires_at),
            demand_offset=self.demand.position,
        )

    def _wanted(self, page: Page, now: Moment) -> dict[UUID, Wish]:
        """What each worker wants beyond the grants that are on their way to it."""
        found = dict[UUID, Wish]()
        for who, wish in self.demand.wishes(self.terms.budget, now.steady).items():
            coming = page.granted_since(who, wish.ledger_position)
            if wish.weight > coming:
                at_once = max(0.0, wish.at_once - coming)
                found[who] = replace(wish, weight=wish.weight - coming, at_once=at_once)
        return found

    def _standing(self, page: Page, window: Window, now: float) -> Standing:
        assert page.window is not None
        usage = self.demand.usage(self.terms.budget, window.id)
        opened_at = seconds(page.window.opened_at)
        known = usage is not None or opened_at - window.start < PUNCTUAL
        foreign, rate = usage.foreign if usage is not None else 0.0, 0.0
        if foreign > NOTICEABLE * page.window.capacity and now > window.start:
            rate = foreign / (now - window.start)  # more than before: somebody has begun
        return Standing(
            granted=page.granted,
            foreign=foreign,
            foreign_rate=max(page.window.foreign / self.terms.length, rate),
            unobserved_since=None if known else opened_at,
            backoff_until=page.backoff_until,
            resumed_at=page.resumed_at,
        )
