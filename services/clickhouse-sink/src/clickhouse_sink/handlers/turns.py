"""Whose turn it is to write, and what was written while somebody waited for his."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from candlelog.errors import Unavailable
from clickhouse_sink.domain.batches import Batch
from clickhouse_sink.domain.waves import meet

_REMEMBERED: Final = 8
"""Turns: more than there can be while one waits, since two calls are in hand at most."""


@dataclass(slots=True)
class Turn:
    """The turn with this number, and the batches that are written in it."""

    number: int
    batches: list[Batch] = field(default_factory=list[Batch])

    def writes(self, batches: Sequence[Batch]) -> None:
        """Say what is written, before it is."""
        self.batches += batches


class Turns:
    """One writes after the other, in the order in which they came. Who looked at the tables before
    his turn asks whether what he saw still holds.

    Where one fails in his turn, nobody has another before he has tried again: what he has written
    of a slot is not to be overwritten by one who does not know of it.
    """

    def __init__(self) -> None:
        self._lock: Final = asyncio.Lock()
        self._failed: asyncio.Task[object] | None = None
        self._reason = ""
        self._turns: deque[Turn] = deque([Turn(0)], _REMEMBERED)

    @property
    def now(self) -> int:
        """The number of the turn that is taken now, or was last."""
        return self._turns[-1].number

    @asynccontextmanager
    async def mine(self) -> AsyncGenerator[Turn]:
        """Wait for the turn, and have it for as long as the block lasts. Raises `Unavailable`, for
        the same reason, while a task that has failed goes on trying; one that is over has left its
        work to another owner."""
        me = asyncio.current_task()
        async with self._lock:
            failed = self._failed
            if failed is not None and failed is not me and not failed.done():
                raise Unavailable(self._reason)
            turn = Turn(self.now + 1)
            self._turns.append(turn)
            self._failed = me
            try:
                yield turn
            except Unavailable as error:
                self._reason = str(error)
                raise
            self._failed = None

    def touched(self, batches: Sequence[Batch], since: int) -> bool:
        """Whether a slot of the batches may have been written in that turn or a later one."""
        if self._turns[0].number > since:
            return True
        return any(meet(batches, turn.batches) for turn in self._turns if turn.number >= since)
