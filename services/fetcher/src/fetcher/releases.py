"""Releases of one chunk that are in hand at once: one asks the venue, the others wait for it.

A chunk is released again when its lease ends, and delivered again after a rebalance, while the
first request may still be on its way. Two requests for it would waste budget, and their answers
could reach the log in the other order than they were read.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(slots=True)
class Turn:
    """A chunk while at least one of its releases is in hand. `fetched` is set by whoever did it."""

    fetched: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    releases: int = 0


class Releases:
    """The chunks in hand of this process."""

    def __init__(self) -> None:
        self._turns: dict[tuple[UUID, int], Turn] = {}

    @asynccontextmanager
    async def turn(self, chunk_id: UUID, generation: int) -> AsyncGenerator[Turn]:
        """Wait until no other release of this chunk and generation is worked on.

        What is in hand together shares the `Turn`; it is forgotten with the last of them.
        """
        key = (chunk_id, generation)
        turn = self._turns.setdefault(key, Turn())
        turn.releases += 1
        try:
            async with turn.lock:
                yield turn
        finally:
            turn.releases -= 1
            if not turn.releases:
                del self._turns[key]
