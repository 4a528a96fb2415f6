"""What this process has read of `limits.demand` and `limits.ledger`."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Final

from candlelog.clock import Clock
from candlelog.errors import Unavailable
from candlelog.events.codec import Message
from candlelog.events.event import Event
from candlelog.events.topics import LIMITS_DEMAND, LIMITS_LEDGER
from candlelog.log.following import Follower
from candlelog.log.ports import Log
from candlelog.log.types import Record
from fetcher.domain.demand import DemandBook

_ASK_AGAIN_SECONDS: Final = 0.2
Hear = Callable[[Event, int], None]
"""Called with every event of the two topics and its offset."""


class Readings:
    """Follows both topics: the demand from its beginning, the ledger from its end.

    What a purse must know is passed on to `hear`; the demand is kept in `book`, so that this
    process could take over as allocator at any time.
    """

    def __init__(self, log: Log, topic_prefix: str, hear: Hear, *, clock: Clock) -> None:
        self.book: Final = DemandBook()
        self.ledger: Final = Follower(
            log, LIMITS_LEDGER.full_name(topic_prefix), "end", self._take_ledger, clock=clock
        )
        self.demand: Final = Follower(
            log, LIMITS_DEMAND.full_name(topic_prefix), "beginning", self._take_demand, clock=clock
        )
        self._hear = hear
        self._clock = clock
        self._changed = asyncio.Event()
        self._live = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow until `stopping` is set."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.ledger.run(stopping))
            group.create_task(self.demand.run(stopping))
            catching_up = group.create_task(self._catch_up())
            await stopping.wait()
            catching_up.cancel()

    async def ready(self) -> None:
        """Wait until both topics are followed, and what was demanded before was read."""
        await self.ledger.opened()
        await self._live.wait()

    async def _catch_up(self) -> None:
        while True:
            with suppress(Unavailable):  # the follower reports the outage
                await self.demand.caught_up()
                self._live.set()
                return
            await asyncio.sleep(_ASK_AGAIN_SECONDS)

    async def change(self, seconds: float) -> None:
        """Wait until something new was demanded, at most for `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    def _take_ledger(self, event: Message, record: Record) -> None:
        if isinstance(event, Event):
            self._hear(event, record.offset)

    def _take_demand(self, event: Message, record: Record) -> None:
        if not isinstance(event, Event):
            return
        # A wish from before this process is repeated if its worker lives.
        heard_at = self._clock.monotonic() if self._live.is_set() else -inf
        self.book.apply(event, record.offset, heard_at)
        self._hear(event, record.offset)
        self._changed.set()
