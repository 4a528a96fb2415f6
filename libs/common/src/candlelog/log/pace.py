"""Fewer, larger batches: every one costs a transaction, whatever it holds."""

import asyncio
from collections.abc import Sequence

from candlelog.clock import Clock
from candlelog.log.handling import Handle
from candlelog.log.outcome import Outcome
from candlelog.log.types import Received


class Paced:
    """Begins a call at least `seconds` after the one before, while what follows gathers on the log.

    A batch of `enough` events is handled at once: it is worth a transaction of its own.
    After a pause the first event is handled at once, so a quiet system is as quick as ever.
    """

    def __init__(self, handle: Handle, clock: Clock, seconds: float, *, enough: int) -> None:
        self._handle = handle
        self._clock = clock
        self._seconds = seconds
        self._enough = enough
        self._next = 0.0

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """The handler's outcomes."""
        wait = self._next - self._clock.monotonic()
        if wait > 0 and len(received) < self._enough:
            await asyncio.sleep(wait)
        self._next = self._clock.monotonic() + self._seconds
        return await self._handle(received)
