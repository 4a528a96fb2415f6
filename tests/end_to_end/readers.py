"""Readers of features who look again and again while versions are switched."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pyarrow as pa

Read = Callable[[], Awaitable[pa.Table]]
"""Reads the features of a series as they are served now."""


class Readers:
    """Two who read the features again and again, and the version that was read last.

    Every answer holds all rows of one version, as they are known to be (`whole`).
    """

    def __init__(self, read: Read, whole: Mapping[int, pa.Table]) -> None:
        self._read_served = read
        self._whole = whole
        self._enough = False
        self._version = 0
        self._read = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def at_work(cls, read: Read, whole: Mapping[int, pa.Table]) -> AsyncGenerator["Readers"]:
        """They read for as long as the block lasts."""
        readers = cls(read, whole)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(readers._poll())
            yield readers
            readers._enough = True

    async def see(self, version: int) -> None:
        """Return once one of them has read this version."""
        while self._version != version:
            self._read.clear()
            await self._read.wait()

    async def _poll(self) -> None:
        while not self._enough:
            found = await self._read_served()
            version = found["version"][0].as_py()
            assert found.equals(self._whole[version]), "a mixture, or a hole"
            self._version = version
            self._read.set()
