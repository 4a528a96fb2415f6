"""Granting: what the allocator does while it is the allocator."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from candlelog.clock import Clock
from candlelog.events.event import Event
from candlelog.events.limits import AllocatorAliveV1, AllocatorStartedV1, BackoffDeclaredV1
from candlelog.events.topics import LIMITS_LEDGER
from candlelog.log.ports import Log, TransactionalProducer
from candlelog.log.publish import Publisher
from candlelog.market.ledger import exchange_of
from fetcher.domain.backoffs import Backoffs
from fetcher.domain.granting import Account, Moment, Terms
from fetcher.domain.ledger import LedgerBook
from fetcher.limits.catalogue import Catalogue
from fetcher.limits.readings import Readings
from fetcher.limits.recovery import recover

ALIVE_SECONDS: Final = 0.4
"""While something is wanted the ledger is written at least this often."""
_GOOD_TO_GRANT_SECONDS: Final = 60.0
"""Age up to which a time is good enough to grant by, also where it is told in whole seconds."""
STATED_EVERY: Final = timedelta(seconds=30)
"""Of what is written, so that `recover` finds every backoff in force in the newest part."""


@dataclass(frozen=True, slots=True)
class Granting:
    """What granting works with; `ask_time` has a venue asked for its time, soon."""

    log: Log
    publisher: Publisher
    catalogue: Catalogue
    ask_time: Callable[[str], None]
    clock: Clock


class Reign:
    """From `AllocatorStarted` until a later allocator fences this one.

    Every method may raise `Fenced` and `Unavailable`; after either, what stands on the ledger is
    for the next allocator to read, and this one must end.
    """

    def __init__(
        self,
        producer: TransactionalProducer,
        readings: Readings,
        granting: Granting,
    ) -> None:
        self._producer = producer
        self._readings = readings
        self._granting = granting
        self._topic: Final = LIMITS_LEDGER.full_name(granting.publisher.topic_prefix)
        self._book = LedgerBook()
        self._allocator = UUID(int=0)
        self._ledger_end = 0
        self._written_at = 0.0
        self._stated_at = datetime.min.replace(tzinfo=UTC)
        self.wanted = False
        """Whether somebody wants something, as of the last step."""

    async def begin(self, allocator: UUID) -> None:
        """Announce this allocator, then learn what those before it granted."""
        self._allocator = allocator
        await self._write(
            [AllocatorStartedV1(allocator=allocator, started_at=self._granting.clock.now())]
        )
        learning = asyncio.create_task(self._learn(self._ledger_end))
        try:
            while not (await asyncio.wait({learning}, timeout=ALIVE_SECONDS))[0]:
                await self._write([self._alive()])  # or somebody takes over, and begins anew
            self._book = await learning
        finally:
            learning.cancel()
            await asyncio.gather(learning, return_exceptions=True)

    async def step(self) -> bool:
        """Write what is due now; whether anything was."""
        steady = self._granting.clock.monotonic()
        budgets = self._readings.book.open_budgets(steady)
        self.wanted = bool(budgets)
        entries: list[Event] = []
        for budget in budgets:
            terms = self._granting.catalogue.terms_of(budget)
            if terms is not None:
                entries += self._entries(terms)
        entries += self._observed(entries)
        if not entries and self.wanted and steady - self._written_at >= ALIVE_SECONDS:
            entries.append(self._alive())
        if entries:
            entries += self._statement()
            await self._write(entries)
        return bool(entries)

    async def _learn(self, ledger_end: int) -> LedgerBook:
        await self._readings.demand.caught_up()
        return await recover(self._granting.log, self._topic, ledger_end)

    def _alive(self) -> Event:
        now = self._granting.clock.now()
        return AllocatorAliveV1(allocator=self._allocator, alive_at=now)

    def _entries(self, terms: Terms) -> list[Event]:
        exchange = exchange_of(terms.budget)
        time = self._granting.catalogue.time_of(exchange)
        # Whoever grants may send nothing, and so sees no dates.
        time.suspect(older_than=_GOOD_TO_GRANT_SECONDS)
        if time.stale:
            self._granting.ask_time(exchange)
        page, now = self._book.page(terms.budget), time.instant()
        account = Account(terms, page, self._readings.book, self._allocator)
        wall = self._granting.clock.now().timestamp()
        if now.earliest is None or now.latest is None:
            return list(account.probes(Moment(wall, 0.0, now.steady)))
        over = min(now.earliest, wall)  # one that is ahead forgets nothing that is in force
        page.end_backoff(over)
        self._readings.book.end_backoff(terms.budget, over)
        middle, width = (now.earliest + now.latest) / 2, now.latest - now.earliest
        return list(account.entries(Moment(middle, width / 2, now.steady)))

    def _observed(self, entries: Sequence[Event]) -> list[Event]:
        """Backoffs of budgets nobody wants anything of: their demand topic forgets them soon."""
        said = {each.budget for each in entries if isinstance(each, BackoffDeclaredV1)}
        now = self._granting.clock.now().timestamp()
        return [each for each in self._backoffs.news(now) if each.budget not in said]

    def _statement(self) -> list[Event]:
        """The backoffs in force, when it is time to say them all again."""
        now = self._granting.clock.now()
        if timedelta() <= now - self._stated_at < STATED_EVERY:
            return []
        self._stated_at = now
        return list(self._backoffs.in_force(now.timestamp()))

    @property
    def _backoffs(self) -> Backoffs:
        return Backoffs(self._book, self._readings.book, self._allocator)

    async def _write(self, entries: list[Event]) -> None:
        messages = [self._granting.publisher.outgoing(entry) for entry in entries]
        offsets = await self._producer.send_atomically(messages)
        for entry, offset in zip(entries, offsets, strict=True):
            self._book.apply(entry, offset)
        self._ledger_end = max(offsets) + 1
        self._written_at = self._granting.clock.monotonic()
