"""What the exchanges list: mirrored from the log, and asked for where it is missing."""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from candlelog.clock import Clock
from candlelog.errors import Unavailable
from candlelog.events.codec import Message
from candlelog.events.jobs import ListMarketsV1
from candlelog.events.markets import MarketsListedV1
from candlelog.log.publish import Publisher
from status_api.domain.problems import Problem

_WAIT_SECONDS: Final = 10.0
_ASK_AGAIN_AFTER: Final = timedelta(hours=1)
"""A symbol that is unknown may have been listed since."""


class Markets:
    """The symbols of each exchange, as the newest list says."""

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock
        self._symbols: dict[str, frozenset[str]] = {}
        self._listed_at: dict[str, datetime] = {}
        self._news: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._asking: dict[str, asyncio.Task[None]] = {}

    def read(self, event: Message) -> None:
        """Take one event of `markets` in."""
        if isinstance(event, MarketsListedV1):
            self._symbols[event.exchange] = frozenset(each.symbol for each in event.markets)
            self._listed_at[event.exchange] = event.listed_at
            self._news.pop(event.exchange, asyncio.Event()).set()

    def known(self, exchange: str) -> frozenset[str] | None:
        """The symbols of an exchange, delisted ones among them; None where no list was read."""
        return self._symbols.get(exchange)

    async def listed(self, exchange: str, wanted: Collection[str]) -> frozenset[str]:
        """The symbols to judge `wanted` by: where there is no list, or an old one that lacks some,
        a new one is asked for. Raises `markets_unavailable` when there is none after 10 s.
        """
        if not self._suffices(exchange, wanted):
            await self._ask(exchange)
        symbols = self.known(exchange)
        if symbols is None:
            raise Problem(
                503,
                "markets_unavailable",
                f"the symbols of {exchange} are not known and could not be read now; try again",
            )
        return symbols

    def _suffices(self, exchange: str, wanted: Collection[str]) -> bool:
        symbols = self.known(exchange)
        if symbols is None:
            return False
        fresh = self._clock.now() - self._listed_at[exchange] < _ASK_AGAIN_AFTER
        return fresh or symbols.issuperset(wanted)

    async def _ask(self, exchange: str) -> None:
        """Wait for the answer to the question in flight, which outlives whoever asked it first."""
        asking = self._asking.get(exchange)
        if asking is None:
            asking = self._asking[exchange] = asyncio.create_task(self._question(exchange))
            asking.add_done_callback(lambda _: self._asking.pop(exchange))
        await asyncio.shield(asking)

    async def _question(self, exchange: str) -> None:
        deadline = asyncio.get_running_loop().time() + _WAIT_SECONDS
        news = self._news[exchange]
        wanted = ListMarketsV1(exchange=exchange, requested_at=self._clock.now())
        try:
            await self._publisher.publish(wanted)
        except Unavailable as error:
            raise Problem(503, "log_unavailable", str(error)) from error
        try:
            async with asyncio.timeout_at(deadline):
                await news.wait()
        except TimeoutError:
            return
