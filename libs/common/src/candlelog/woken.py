"""A loop that works when it is woken, or when it was left alone for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Final

import structlog

from candlelog.errors import Unavailable
from candlelog.log.backoff import full_jitter
from candlelog.telemetry import OUTAGES

_LOGGER: Final = structlog.get_logger()

Step = Callable[[], Awaitable[bool]]
"""Does what there is to do; True when it should be called again at once."""


class WokenLoop:
    """Calls `step` whenever `woken` is set, and at least every `tick_seconds`.

    The tick is for what no event of this process tells: work that another process left, and times
    that pass. An outage is waited out with a back-off; any other error ends the loop. `service` and
    `name` tell whose loop it is.
    """

    def __init__(
        self,
        name: str,
        step: Step,
        woken: asyncio.Event,
        *,
        service: str,
        tick_seconds: float,
        random: Random,
    ) -> None:
        self._name = name
        self._service = service
        self._step = step
        self._woken = woken
        self._tick_seconds = tick_seconds
        self._random = random
        self._failures = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; a step that has begun is finished."""
        while not stopping.is_set():
            self._woken.clear()
            if await self._worked():
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._tick_seconds):
                    await self._woken.wait()

    async def _worked(self) -> bool:
        """One step; True when it should be called again."""
        try:
            again = await self._step()
        except Unavailable as error:
            self._failures += 1
            OUTAGES.labels(self._service).inc()
            _LOGGER.warning("outage", loop=self._name, reason=str(error))
            await asyncio.sleep(full_jitter(self._failures, self._random))
            return True
        self._failures = 0
        return again
