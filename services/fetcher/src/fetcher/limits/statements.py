"""What a purse has to tell the log: backoffs it met, what the venue counted, what it wishes for."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from candlelog.clock import Clock
from candlelog.events.event import Event
from candlelog.events.limits import BackoffObservedV1, BudgetRequestedV1, UsageObservedV1
from fetcher.domain.appetite import Appetite
from fetcher.domain.windows import moment


@dataclass(frozen=True, slots=True)
class Spender:
    """Who spends which budget; windows last `window_seconds`. Of a `spaced` one nobody gets more
    than what waits: a slot that is not used is lost to all."""

    budget: str
    window_seconds: float
    incarnation: UUID
    spaced: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """Weight waited for, what the first who waits lacks, weight in hand and weight received so far,
    on our steady clock."""

    steady: float
    waiting: float
    at_once: float
    held: float
    received: float


class Statements:
    """Collects what is to be said until somebody publishes it."""

    def __init__(self, spender: Spender, clock: Clock) -> None:
        self._spender: Final = spender
        self._clock = clock
        self._appetite = Appetite(hoards=not spender.spaced)
        self._backoffs: list[Event] = []
        self._used: tuple[int, float] | None = None
        self._capacity: float | None = None
        self._spent = 0.0
        self._spent_in: dict[int, float] = {}
        self._unplaced = 0.0

    def back_off(self, until: float, reason: str) -> None:
        """The venue wants to be left alone until then (exchange time)."""
        self._backoffs.append(
            BackoffObservedV1(
                budget=self._spender.budget,
                incarnation=self._spender.incarnation,
                until=moment(until),
                reason=reason,
                observed_at=self._clock.now(),
            )
        )

    def spend(self, weight: float, window_id: int | None) -> None:
        """Weight was spent; without a window while nobody can say in which."""
        self._spent += weight
        if window_id is None:
            self._unplaced += weight
            return
        self._spent_in = {
            window: spent for window, spent in self._spent_in.items() if window >= window_id - 1
        }
        self._spent_in[window_id] = self._spent_in.get(window_id, 0.0) + weight

    def observe(self, window_id: int, used: float) -> None:
        """The venue counted `used` in that window, from everybody behind this address."""
        unplaced, self._unplaced = self._unplaced, 0.0
        self._spent_in[window_id] = self._spent_in.get(window_id, 0.0) + unplaced
        told = (window_id, used)
        # What is not told yet may be newer: answers come in another order than they were made in.
        self._used = told if self._used is None else max(self._used, told)

    def state_capacity(self, capacity: float) -> None:
        """The venue's own figure for its limit."""
        self._capacity = capacity

    def forget_capacity(self) -> None:
        """Others may know by now that it is another one."""
        self._capacity = None

    def take(self, need: Need, ledger_position: int) -> list[Event]:
        """What is new since the last time, the urgent first."""
        backoffs, self._backoffs = self._backoffs, []
        return [*backoffs, *self._usage(), *self._wish(need, ledger_position)]

    def put_back(self, events: list[Event]) -> None:
        """These could not be published: backoffs must be, a wish is made anew."""
        self._backoffs += [event for event in events if isinstance(event, BackoffObservedV1)]
        self._appetite.forget()

    def _usage(self) -> list[Event]:
        if self._used is None:
            return []
        (window_id, used), self._used = self._used, None
        return [
            UsageObservedV1(
                budget=self._spender.budget,
                incarnation=self._spender.incarnation,
                window_id=window_id,
                used=used,
                spent_by_us=self._spent_in.get(window_id, 0.0),
                capacity=self._capacity,
                observed_at=self._clock.now(),
            )
        ]

    def _wish(self, need: Need, ledger_position: int) -> list[Event]:
        weight = self._appetite.wish(
            need.steady,
            waiting=need.waiting,
            held=need.held,
            spent=self._spent,
            received=need.received,
        )
        if weight is None:
            return []
        return [
            BudgetRequestedV1(
                budget=self._spender.budget,
                incarnation=self._spender.incarnation,
                weight=weight,
                at_once=need.at_once,
                ledger_position=ledger_position,
                requested_at=self._clock.now(),
            )
        ]
