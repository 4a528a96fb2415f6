"""What the rest of the fetcher sees of the limits: a purse for every venue, and one `run`."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final
from uuid import UUID

from candlelog.clock import Clock
from candlelog.events.event import Event
from candlelog.events.limits import BackoffDeclaredV1, BackoffObservedV1, BudgetGrantedV1
from candlelog.log.ports import Log
from candlelog.log.publish import Publisher
from candlelog.market.ledger import exchange_of
from candlelog.market.profile import ExchangeProfile
from fetcher.domain.windows import seconds
from fetcher.limits.allocator import Allocator
from fetcher.limits.catalogue import Catalogue
from fetcher.limits.purse import Purse
from fetcher.limits.readings import Readings
from fetcher.limits.reign import Granting
from fetcher.limits.reporter import Reporter
from fetcher.limits.statements import Spender

_LAST_WORDS_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the limits work with. `incarnation` is a fresh random id of this process."""

    log: Log
    publisher: Publisher
    clock: Clock
    random: Random
    incarnation: UUID


class Budgets:
    """The purses of this process, and its part in granting."""

    def __init__(self, surroundings: Surroundings, catalogue: Catalogue) -> None:
        log, publisher, clock = surroundings.log, surroundings.publisher, surroundings.clock
        self._time_wanted: Final[asyncio.Queue[str]] = asyncio.Queue()
        self._queued: Final[set[str]] = set()
        self._incarnation: Final = surroundings.incarnation
        self._clock = clock
        self._catalogue = catalogue
        self._purses: dict[str, Purse] = {}
        self._declared: dict[str, float] = {}
        self._readings = Readings(log, publisher.topic_prefix, self._hear, clock=clock)
        self._reporter = Reporter(publisher, self._readings, self._purses)
        self._allocator = Allocator(
            self._readings,
            Granting(log, publisher, catalogue, self._want_time, clock),
            surroundings.random,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Read, report and stand by as allocator until `stopping` is set."""
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(part.run(stopping))
                for part in (self._readings, self._reporter, self._allocator)
            ]
            await stopping.wait()
            for loop in loops[1:]:
                loop.cancel()
            await asyncio.wait(loops[1:])
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    await self._reporter.report()  # a backoff met by the last request, too

    async def time_wanted(self) -> str:
        """The next exchange whose time is to be asked for."""
        exchange = await self._time_wanted.get()
        self._queued.discard(exchange)
        return exchange

    def purse(self, venue: ExchangeProfile) -> Purse:
        """The purse for a venue's budget."""
        budget = self._catalogue.budget_of(venue)
        if budget not in self._purses:
            limit = venue.budgets[0]
            spender = Spender(
                budget, limit.window_seconds, self._incarnation, spaced=limit.kind == "spaced"
            )
            time = self._catalogue.time_of(venue.name)
            purse = Purse(spender, time, self._clock, self._reporter.wake)
            self._purses[budget] = purse
            if (backoff := self._readings.book.backoff(budget)) is not None:
                purse.told_to_back_off(backoff.until, backoff.offset)
            purse.told_to_wait(self._declared.get(budget, 0.0))
        return self._purses[budget]

    def _hear(self, event: Event, offset: int) -> None:
        match event:
            case BudgetGrantedV1() if event.incarnation == self._incarnation:
                purse = self._purses[event.budget]
                purse.granted(event)
                if (earliest := purse.time.instant().earliest) is not None:  # for who grants next
                    over = min(earliest, self._clock.now().timestamp())
                    self._readings.book.end_backoff(event.budget, over)
                if purse.time.stale:  # who waits for weight does not ask for the time
                    self._want_time(exchange_of(event.budget))
            case BackoffObservedV1() if event.budget in self._purses:
                self._purses[event.budget].told_to_back_off(seconds(event.until), offset)
            case BackoffDeclaredV1():
                self._declared[event.budget] = seconds(event.until)
                if event.budget in self._purses:
                    self._purses[event.budget].told_to_wait(seconds(event.until))
            case _:
                pass

    def _want_time(self, exchange: str) -> None:
        if exchange not in self._queued:
            self._queued.add(exchange)
            self._time_wanted.put_nowait(exchange)
