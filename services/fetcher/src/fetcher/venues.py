"""The venues this process deals with, opened when a job first names them."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from random import Random
from typing import Final

from candlelog.clock import Clock
from candlelog.market.profile import profile
from fetcher.domain.failures import VenueFailure
from fetcher.limits.budgets import Budgets
from fetcher.ports import OpenExchange
from fetcher.venue import Venue


class Venues:
    """Opens venues, and closes them all when its context is left."""

    def __init__(
        self, open_exchange: OpenExchange, budgets: Budgets, *, clock: Clock, random: Random
    ) -> None:
        self._open_exchange = open_exchange
        self._budgets = budgets
        self._clock = clock
        self._random = random
        self._opened: dict[str, Venue] = {}
        self._opening = asyncio.Lock()
        self._exits: Final = AsyncExitStack()

    async def __aenter__(self) -> "Venues":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def venue(self, exchange: str) -> Venue:
        """The venue of that name; `Invalid` for one without a profile."""
        if exchange not in self._opened:
            async with self._opening:
                if exchange not in self._opened:
                    self._opened[exchange] = await self._open(exchange)
        return self._opened[exchange]

    def troubles(self) -> Mapping[str, str]:
        """The venues that are left alone for a while, and why."""
        found = {name: venue.trouble for name, venue in self._opened.items()}
        return {name: text for name, text in found.items() if text is not None}

    async def keep_times(self) -> None:
        """Ask for the time of every venue of which it is wanted, of all at once: one that hangs
        holds up no other."""
        asking = dict[str, asyncio.Task[None]]()
        async with asyncio.TaskGroup() as group:
            while True:
                exchange = await self._budgets.time_wanted()
                if exchange not in asking or asking[exchange].done():
                    asking[exchange] = group.create_task(self._keep_time(exchange))

    async def _keep_time(self, exchange: str) -> None:
        with suppress(VenueFailure):  # whoever wants it asks again
            await (await self.venue(exchange)).keep_time()

    async def _open(self, exchange: str) -> Venue:
        known = profile(exchange)
        adapter = await self._exits.enter_async_context(self._open_exchange(known))
        venue = Venue(
            known, adapter, self._budgets.purse(known), clock=self._clock, random=self._random
        )
        self._exits.push_async_callback(venue.close)  # before its adapter
        return venue
