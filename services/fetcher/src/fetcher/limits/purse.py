"""Spending: requests wait here, without polling, until weight was granted to this process."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from candlelog.clock import Clock
from candlelog.events.event import Event
from candlelog.events.limits import BudgetGrantedV1
from candlelog.market.ledger import PROBE_WINDOW
from fetcher.domain.failures import BackingOff, GrantLapsed, NoBudget
from fetcher.domain.stock import Holding, Stock
from fetcher.domain.venue_time import TimeReading
from fetcher.domain.windows import window_at
from fetcher.limits.statements import Need, Spender, Statements
from fetcher.limits.venue_time import VenueTime
from fetcher.ports import Answer

_LOGGER: Final = structlog.get_logger()

PATIENCE: Final = 20.0
"""Seconds a request waits for weight before its chunk goes back to the coordinator."""
_JUST_ASKED_SECONDS: Final = 5.0
"""Age up to which a grant of another time casts no doubt on what the venue told."""


class Wake(Protocol):
    """Has the log told, soon, or at once."""

    def __call__(self, *, urgent: bool = False) -> None:
        """There may be something to tell."""
        ...


@dataclass(slots=True)
class _Waiter:
    weight: float
    for_time: bool
    served: "asyncio.Future[Permit]" = field(default_factory=asyncio.Future)


class Purse:
    """The weight of one budget granted to this process, and those who wait for some of it.

    `wake` is called when there may be something to tell the log.
    """

    def __init__(self, spender: Spender, time: VenueTime, clock: Clock, wake: Wake) -> None:
        self.spender: Final = spender
        self.time: Final = time
        self.statements: Final = Statements(spender, clock)
        self._clock = clock
        self._wake = wake
        self._stock = Stock()
        self._waiting: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0.0
        self.refused_at = float("-inf")
        """When we last heard that the venue refused somebody something, on our steady clock."""

    async def acquire(self, weight: float, *, for_time: bool = False) -> "Permit":
        """A permit for `weight`, as soon as it is granted; first come, first served.

        `for_time` asks for leave to ask the venue's time, which needs no knowledge of it. Raises
        `BackingOff` while the venue wants to be left alone, `NoBudget` after `PATIENCE` seconds.
        """
        if (pause := self._pause()) > 0:
            raise BackingOff(pause)
        waiter = _Waiter(weight, for_time)
        # Without the time nobody else can be served: who asks for it goes first.
        self._waiting.insert(0 if for_time else len(self._waiting), waiter)
        self.serve()
        if not waiter.served.done():
            self._wake()
        try:
            async with asyncio.timeout(PATIENCE):
                return await waiter.served
        except TimeoutError as error:
            self._abandon(waiter)
            raise NoBudget(f"no weight granted within {PATIENCE:.0f} s") from error
        except asyncio.CancelledError:
            self._abandon(waiter)
            raise

    def back_off(self, seconds_to_wait: float, reason: str) -> None:
        """The venue wants to be left alone: stop at once, and have everybody told."""
        latest = self.time.instant().latest  # of those who wait by that end, some know it better
        until = (self._clock.now().timestamp() if latest is None else latest) + seconds_to_wait
        self._stock.halt(until)
        self.statements.back_off(until, reason)
        self._refused()
        self._wake(urgent=True)

    def heed(self, answer: Answer[object], window_id: int) -> None:
        """Take in what stands on an answer to a request paid with weight of that window.

        What the venue has counted belongs to the window it says it is in: another one, where its
        clock was set.
        """
        if answer.date is not None and self.time.heeds_dates:
            if self.time.glimpse(TimeReading(answer.sent, answer.received, answer.date, 1.0)):
                _LOGGER.warning("venue_clock_set", budget=self.spender.budget)
            if window_id != window_at(answer.date, self.spender.window_seconds).id:
                return
        if answer.used is not None and window_id != PROBE_WINDOW:
            self.observe(window_id, answer.used)

    def observe(self, window_id: int, used: float) -> None:
        """The venue has counted `used` in that window, from everybody behind this address."""
        self.statements.observe(window_id, used)
        self._wake()

    def learn_time(self, reading: TimeReading, used: float | None) -> None:
        """The venue told its time, and perhaps what it has counted in the window of that time."""
        heeded = self.time.heeds_dates
        self.time.learn(reading)
        if heeded and not self.time.heeds_dates:
            _LOGGER.warning("dates_of_venue_disregarded", budget=self.spender.budget)
        window = window_at(reading.server, self.spender.window_seconds)
        if used is not None:
            self.observe(window.id, used)
        self.serve()

    def state_capacity(self, capacity: float | None) -> None:
        """The venue stated its limit, or did not."""
        if capacity is not None:
            self.statements.state_capacity(capacity)
            self._wake()

    def serve(self) -> None:
        """Give permits to those who wait, in order, as far as there is weight for now."""
        now = self.time.instant()
        while self._waiting:
            first = self._waiting[0]
            if not first.served.done():
                held = self._stock.take(first.weight, now, for_time=first.for_time)
                if held is None:
                    break
                first.served.set_result(Permit(self, held, for_time=first.for_time))
            self._waiting.popleft()
        self._set_timer()

    def granted(self, event: BudgetGrantedV1) -> None:
        """A grant for this process stands on the ledger."""
        self._received += event.weight
        now, holding = self.time.instant(), Holding.of(event, self._clock.monotonic())
        if not holding.useful(now):  # long on its way, or one of us has the wrong time
            self.time.suspect(older_than=_JUST_ASKED_SECONDS)
        self._stock.add(holding)
        self.serve()

    def told_to_back_off(self, until: float, offset: int) -> None:
        """Somebody, perhaps this process, saw the venue refuse, as the demand says at `offset`."""
        self._stock.halt(until, offset)
        self._refused()

    def told_to_wait(self, until: float) -> None:
        """The ledger says until when the venue wants to be left alone."""
        self._stock.wait_until(until)
        self._turn_away()

    def reports(self, ledger_position: int) -> list[Event]:
        """What is new for the log, given how far the ledger was read."""
        now = self.time.instant()
        waiting = sum(waiter.weight for waiter in self._waiting)
        held = self._stock.held(now)
        at_once = max(0.0, self._waiting[0].weight - held) if self._waiting else 0.0
        need = Need(now.steady, waiting, at_once, held, self._received)
        return self.statements.take(need, ledger_position)

    def spend(self, held: Holding, *, for_time: bool) -> None:
        """The weight is spent now; `GrantLapsed` when that is too late or too early."""
        now = self.time.instant()
        if self._pause() > 0 or not self._stock.still_valid(held, now, for_time=for_time):
            raise GrantLapsed
        self.statements.spend(held.weight, held.window_id if held.valid(now) else None)

    def give_back(self, held: Holding) -> None:
        """What was taken was not spent."""
        self._stock.add(held)
        self.serve()

    def _abandon(self, waiter: _Waiter) -> None:
        """Nobody waits for this any more; what was handed over meanwhile is put back."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            self.serve()  # it may have stood before others
        served = waiter.served
        if served.done() and not served.cancelled() and served.exception() is None:
            served.result().close()

    def _pause(self) -> float:
        """Seconds to leave the venue alone for."""
        return self._stock.pause(self.time.instant(), self._clock.now().timestamp())

    def _refused(self) -> None:
        """What was known of the venue's limit may be wrong, and is not stated again."""
        self.refused_at = self._clock.monotonic()
        self.statements.forget_capacity()
        self._turn_away()

    def _turn_away(self) -> None:
        """Nobody is kept waiting for a venue that wants to be left alone."""
        if (pause := self._pause()) <= 0:
            return
        for waiter in self._waiting:
            if not waiter.served.done():
                waiter.served.set_exception(BackingOff(pause))
        self._waiting.clear()

    def _set_timer(self) -> None:
        """What was granted for a window that has not begun is served when it begins."""
        if self._timer is not None:  # by a time that was wrong it may ring long after
            self._timer.cancel()
            self._timer = None
        delay = self._stock.opens_in(self.time.instant()) if self._waiting else None
        if delay is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay + 0.001, self.serve)


class Permit:
    """Leave for one request. `use` is called as the last thing before the request is written."""

    def __init__(self, purse: Purse, held: Holding, *, for_time: bool) -> None:
        self._purse = purse
        self._held = held
        self._for_time = for_time
        self._closed = False

    @property
    def window_id(self) -> int:
        """The window whose weight this is; `PROBE_WINDOW` when that is not known yet."""
        return self._held.window_id

    def use(self) -> None:
        """Spend it, once; raises `GrantLapsed` when it may not be spent at this very moment."""
        if self._closed:
            raise GrantLapsed
        self._purse.spend(self._held, for_time=self._for_time)
        self._closed = True

    def close(self) -> None:
        """Give back what was not spent."""
        if not self._closed:
            self._closed = True
            self._purse.give_back(self._held)
