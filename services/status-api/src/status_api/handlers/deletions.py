"""Rows of jobs that were deleted: hidden at once, and dropped by and by."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from candlelog.errors import Unavailable
from status_api.ports import ProjectionStore

_PAUSE_SECONDS: Final = 60.0
_APART_SECONDS: Final = 0.05
"""Between two steps: others are to have their turn."""
_LOGGER: Final = structlog.get_logger()


class Deletions:
    """Drops tasks and chunks of deleted jobs. Any number of replicas may do so at a time."""

    def __init__(self, store: ProjectionStore) -> None:
        self._store = store

    async def run(self, stopping: asyncio.Event) -> None:
        """Look for such rows again and again until `stopping` is set."""
        while not stopping.is_set():
            pause = _PAUSE_SECONDS
            try:
                if await self._store.drop_deleted():
                    pause = _APART_SECONDS
            except Unavailable as error:
                _LOGGER.warning("outage", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stopping.wait()
