"""Which events are worked on together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from candlelog.log.types import Record
from featurizer.domain.positions import place, positions
from featurizer.ports import Barrier

_BYTES: Final = 8 * 1024 * 1024
"""Of a group, and of what waits. Pages of an API have some 30,000 each, parts of an archive's files
ten times that."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A record, Faust's event of it, by which it is acknowledged, and the number of rebalances
    before it."""

    record: Record
    event: Any
    rebalances: int


class Gathering:
    """Records that wait, in the order they came, and the groups they are worked on in.

    A group is all that is there `seconds` after the first, and what else is stored once those are:
    `most` records and some megabytes, though. What is read beside it is then rarely still to come
    with a record of its own, for which it would be computed again. Who is behind, has large groups.
    As much may wait as a group may hold.
    """

    def __init__(self, barrier: Barrier, topic_prefix: str, *, most: int, seconds: float) -> None:
        self._barrier = barrier
        self._topic_prefix = topic_prefix
        self._most = most
        self._seconds = seconds
        self._waiting: deque[Taken] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Condition()

    async def put(self, taken: Taken) -> None:
        """Have it wait, once there is room."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: len(self._waiting) < self._most and self._waiting_bytes < _BYTES
            )
            self._waiting.append(taken)
            self._waiting_bytes += _size(taken.record)
            self._changed.notify_all()

    async def filled(self) -> None:
        """Wait until there is a record."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting)

    async def group(self) -> Sequence[Taken]:
        """The next group, which the sink has stored."""
        await asyncio.sleep(self._seconds)
        group: list[Taken] = []
        await self._add(group, lambda _: True)
        await self._barrier.passed(positions((each.record for each in group), self._topic_prefix))
        await self._add(group, self._stored)
        return group

    async def _add(self, group: list[Taken], wanted: Callable[[Record], bool]) -> None:
        """Add those that wait, up to the first that is not wanted, while there is room."""
        size = sum(_size(each.record) for each in group)
        async with self._changed:
            while self._waiting and len(group) < self._most and size < _BYTES:
                if not wanted(self._waiting[0].record):
                    break
                group.append(self._waiting.popleft())
                size += _size(group[-1].record)
                self._waiting_bytes -= _size(group[-1].record)
            self._changed.notify_all()

    def _stored(self, record: Record) -> bool:
        at, position = place(record, self._topic_prefix)
        return self._barrier.position(*at) >= position


def _size(record: Record) -> int:
    return len(record.value or b"")
