"""Rows of jobs that were deleted: hidden at once, and dropped by and by."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from candlelog.errors import Unavailable
from candlelog.stores.postgres import Pool, outages
from status_api.adapters import statements

_AT_ONCE: Final = 10_000
"""Chunks of one transaction: a job may have a million, and nobody is to wait for them."""
_PAUSE_SECONDS: Final = 5.0
_LOGGER: Final = structlog.get_logger()


class Deletions:
    """Drops tasks and chunks of deleted jobs. Any number of replicas may do so at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self, stopping: asyncio.Event) -> None:
        """Look for such rows again and again until `stopping` is set."""
        while not stopping.is_set():
            try:
                while await self.step():
                    pass
            except Unavailable as error:
                _LOGGER.warning("outage", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE_SECONDS):
                    await stopping.wait()

    async def step(self) -> bool:
        """Drop some rows; whether there may be more. Raises `Unavailable`."""
        with outages():
            async with self._pool.acquire() as connection, connection.transaction():
                dropped = await connection.fetchval(statements.DROP_CHUNKS, _AT_ONCE)
                await connection.execute(statements.DROP_TASKS)
        return dropped == _AT_ONCE
