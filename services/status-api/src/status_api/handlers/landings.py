"""Waiting for what was published to become visible in the projection."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar
from uuid import UUID

T = TypeVar("T")

_LOOK_AGAIN_SECONDS: Final = 0.03
"""Another replica may be the one that folds the partition: nobody tells this one."""


class Landings:
    """Tells waiters of this replica what it has folded; what others fold is found by looking."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, list[asyncio.Event]] = {}
        self._changed = asyncio.Event()

    def announce(self, keys: Iterable[UUID]) -> None:
        """A batch is durable; `keys` are the job and correlation ids that appeared with it."""
        for key in keys:
            for event in self._waiting.get(key, ()):
                event.set()
        self._changed.set()

    async def changed(self, seconds: float) -> None:
        """Return at the next batch this replica folds, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    async def until(
        self, key: UUID, read: Callable[[], Awaitable[T | None]], seconds: float
    ) -> T | None:
        """What `read` finds about `key` as soon as it finds something; None after `seconds`."""
        event = asyncio.Event()
        self._waiting.setdefault(key, []).append(event)
        try:
            async with asyncio.timeout(seconds):
                return await _first(read, event)
        except TimeoutError:
            return None
        finally:
            self._forget(key, event)

    def _forget(self, key: UUID, event: asyncio.Event) -> None:
        waiting = self._waiting[key]
        waiting.remove(event)
        if not waiting:
            del self._waiting[key]


async def _first(read: Callable[[], Awaitable[T | None]], event: asyncio.Event) -> T:
    while True:
        found = await read()
        if found is not None:
            return found
        try:
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                await event.wait()
        except TimeoutError:
            continue
        event.clear()
