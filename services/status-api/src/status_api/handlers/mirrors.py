"""Small topics kept in memory by every replica, read from the log without a group."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from candlelog.errors import Unavailable
from candlelog.events.codec import Message
from candlelog.log.ports import Log, Start, Tail
from candlelog.log.receive import read_or_log
from candlelog.log.types import Partition, Record

Read = Callable[[Message], None]

_BATCH: Final = 1_000
_WAIT_SECONDS: Final = 0.2
_RETRY_SECONDS: Final = 1.0
_LOGGER: Final = structlog.get_logger()


class Mirror:
    """Feeds every record of some topics, in the order of the log, to `read`.

    `newest` of a number skips all but that many records of each partition; None reads everything.
    """

    def __init__(
        self, log: Log, topics: Sequence[str], read: Read, *, newest: int | None = None
    ) -> None:
        self._log = log
        self._topics = topics
        self._read = read
        self._newest = newest
        self._positions: dict[Partition, int] = {}
        self.caught_up = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Read until `stopping`; waits out an outage of the log."""
        while not stopping.is_set():
            try:
                start = await self._start()
                async with self._log.tail(self._topics, start=start) as tail:
                    await self._follow(tail, stopping)
            except Unavailable as error:
                _LOGGER.warning("outage", reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _start(self) -> Start:
        if self._positions:  # after an outage: nothing is read twice
            return self._positions
        if self._newest is None:
            return "beginning"
        async with self._log.tail(self._topics, start="end") as tail:
            ends = await tail.end()
        return {each: max(end - self._newest, 0) for each, end in ends.items()}

    async def _follow(self, tail: Tail, stopping: asyncio.Event) -> None:
        ends = await tail.end()
        while not stopping.is_set():
            for record in await tail.poll(max_records=_BATCH, timeout=_WAIT_SECONDS):
                self._take(record)
            self._positions = dict(await tail.positions())
            if not self.caught_up.is_set() and _reached(self._positions, ends):
                self.caught_up.set()

    def _take(self, record: Record) -> None:
        event = read_or_log(record)
        if event is not None:
            self._read(event)


def _reached(positions: Mapping[Partition, int], ends: Mapping[Partition, int]) -> bool:
    return all(positions.get(partition, 0) >= end for partition, end in ends.items())
