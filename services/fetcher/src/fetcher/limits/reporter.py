"""Tells the log what the purses have to say, in batches."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog

from candlelog.errors import Unavailable
from candlelog.events.event import Event
from candlelog.log.publish import Publisher
from fetcher.limits.purse import Purse
from fetcher.limits.readings import Readings

_APART_SECONDS: Final = 0.1
_REPEAT_SECONDS: Final = 0.25
_LOGGER: Final = structlog.get_logger()


class Reporter:
    """Publishes as soon as it is woken, and for a tenth of a second after nothing but what is
    urgent."""

    def __init__(
        self, publisher: Publisher, readings: Readings, purses: Mapping[str, Purse]
    ) -> None:
        self._publisher = publisher
        self._readings = readings
        self._purses = purses
        self._woken = asyncio.Event()
        self._urgent = asyncio.Event()

    def wake(self, *, urgent: bool = False) -> None:
        """There may be something to say, and it may not wait for a tenth of a second."""
        self._woken.set()
        if urgent:
            self._urgent.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Report until `stopping` is set."""
        await self._readings.ready()
        while not stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_REPEAT_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
            self._urgent.clear()
            if await self.report():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_APART_SECONDS):
                        await self._urgent.wait()

    async def report(self) -> bool:
        """Publish what there is to say; whether there was anything."""
        position = self._readings.ledger.position
        found = [(purse, purse.reports(position)) for purse in self._purses.values()]
        events: list[Event] = [event for _, reports in found for event in reports]
        if not events:
            return False
        try:
            await self._publisher.publish(*events)
        except Unavailable as error:
            _LOGGER.warning("outage", reason=str(error))
            for purse, reports in found:
                purse.statements.put_back(reports)
        return True
