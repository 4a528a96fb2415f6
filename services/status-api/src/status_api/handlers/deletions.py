"""Rows of jobs that were deleted: hidden at once, and dropped by and by."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from candlelog.errors import Unavailable
from status_api.adapters.projection_store import PostgresProjectionStore

_PAUSE_SECONDS: Final = 5.0
_LOGGER: Final = structlog.get_logger()


class Deletions:
    """Drops tasks and chunks of deleted jobs. Any number of replicas may do so at a time."""

    def __init__(self, store: PostgresProjectionStore) -> None:
        self._store = store

    async def run(self, stopping: asyncio.Event) -> None:
        """Look for such rows again and again until `stopping` is set."""
        while not stopping.is_set():
            try:
                while await self._store.drop_deleted():
                    pass
            except Unavailable as error:
                _LOGGER.warning("outage", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE_SECONDS):
                    await stopping.wait()
