"""Who grants: of all fetchers one writes the ledger, and whoever comes later fences it.

Nobody is elected. While demand is open and the ledger silent, a fetcher opens the producer with
the one transactional id, which fences the one before, and reigns. One that is fenced steps down.
"""

import asyncio
from contextlib import suppress
from random import Random
from typing import Final
from uuid import uuid4

import structlog

from candlelog.errors import Fenced, Unavailable
from fetcher.limits.readings import Readings
from fetcher.limits.reign import Granting, Reign

SILENCE: Final = 1.5
"""Seconds of open demand and silent ledger after which somebody takes over, plus jitter."""
_JITTER: Final = 0.3
_FIRST_SECONDS: Final = 0.5
_TICK_SECONDS: Final = 0.1
_IDLE_SECONDS: Final = 0.5
_APART_SECONDS: Final = 0.05

_LOGGER: Final = structlog.get_logger()


class Allocator:
    """This process as a candidate, and, when its time comes, as the allocator."""

    def __init__(
        self,
        readings: Readings,
        granting: Granting,
        random: Random,
    ) -> None:
        self._readings = readings
        self._granting = granting
        self._clock = granting.clock
        self._random = random

    async def run(self, stopping: asyncio.Event) -> None:
        """Stand by, reign, stand by again."""
        while not stopping.is_set():
            if not await self._vacant(stopping):
                return
            try:
                await self._reign(stopping)
            except Fenced:
                _LOGGER.info("allocator_fenced")
            except Unavailable as error:
                _LOGGER.warning("allocator_outage", reason=str(error))
            await _wait(stopping, SILENCE)

    async def _vacant(self, stopping: asyncio.Event) -> bool:
        """Wait until somebody must take over; False when this process is to stop."""
        open_since: float | None = None
        await self._readings.ready()
        chance = self._random.random()
        while not stopping.is_set():
            await self._readings.change(_IDLE_SECONDS if open_since is None else _TICK_SECONDS)
            now = self._clock.monotonic()
            if not self._readings.book.open_budgets(now):
                open_since = None
                continue
            open_since = now if open_since is None else open_since
            silent_since = max(open_since, self._readings.ledger.heard_at)
            if now - silent_since >= self._patience(chance) and await self._silent():
                return True
        return False

    def _patience(self, chance: float) -> float:
        """Seconds of silence to wait for: next to none where no allocator ever was. `chance` in
        [0, 1) keeps the candidates apart."""
        if self._readings.ledger.position == 0:
            return _FIRST_SECONDS * chance
        return SILENCE * (1 + _JITTER * chance)

    async def _silent(self) -> bool:
        """Whether the ledger is silent indeed, and not this process behind in reading it."""
        with suppress(Unavailable):
            return not await self._readings.ledger.behind()
        return False

    async def _reign(self, stopping: asyncio.Event) -> None:
        log, prefix = self._granting.log, self._granting.publisher.topic_prefix
        allocator = uuid4()
        async with log.producer(transactional_id=f"{prefix}allocator") as producer:
            reign = Reign(producer, self._readings, self._granting)
            await reign.begin(allocator)
            _LOGGER.info("allocator_started", allocator=str(allocator))
            while not stopping.is_set():
                if await reign.step():
                    await asyncio.sleep(_APART_SECONDS)
                await self._readings.change(_TICK_SECONDS if reign.wanted else _IDLE_SECONDS)


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
