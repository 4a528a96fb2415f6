"""Following a topic as a whole: no group, every record, and knowing whether all of it was read."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from candlelog.clock import Clock
from candlelog.errors import Unavailable
from candlelog.events.codec import Message
from candlelog.log.ports import Log, Start, Tail
from candlelog.log.receive import read_or_log
from candlelog.log.types import Partition, Record

_LOGGER: Final = structlog.get_logger()
_POLL_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 0.5
_BATCH: Final = 2000

Take = Callable[[Message, Record], None]


class Follower:
    """Reads one topic from `start` on and hands every event to `take`, in order.

    `heard_at` is the steady time at which the last record was read.
    """

    def __init__(self, log: Log, topic: str, start: Start, take: Take, *, clock: Clock) -> None:
        self._log = log
        self._topic: Final = topic
        self._start: Start = start
        self._take = take
        self._clock = clock
        self._tail: Tail | None = None
        self._positions: Mapping[Partition, int] = {}
        self._moved = asyncio.Event()
        self._opened = asyncio.Event()
        self.heard_at = float("-inf")

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow until `stopping` is set; an outage of the log is waited out."""
        while not stopping.is_set():
            try:
                async with self._log.tail([self._topic], start=self._start) as tail:
                    self._positions = await tail.positions()
                    self._tail = tail
                    self._opened.set()
                    await self._follow(tail, stopping)
            except Unavailable as error:
                _LOGGER.warning("outage", topic=self._topic, reason=str(error))
                self._start = self._positions or self._start
                await asyncio.sleep(_RETRY_SECONDS)

    @property
    def position(self) -> int:
        """The next offset to read, of a topic with one partition."""
        return max(self._positions.values(), default=0)

    async def opened(self) -> None:
        """Wait until following has begun."""
        await self._opened.wait()

    async def behind(self) -> bool:
        """Whether the log holds records that were not read yet; may raise `Unavailable`."""
        return not self._reached(await self._ends())

    async def caught_up(self) -> float:
        """Wait until everything that stands on the topic now was read.

        Returns the steady time to which that is true; may raise `Unavailable`.
        """
        asked_at = self._clock.monotonic()
        ends = await self._ends()
        while not self._reached(ends):
            self._moved.clear()
            await self._moved.wait()
        return asked_at

    async def _ends(self) -> Mapping[Partition, int]:
        await self.opened()
        assert self._tail is not None
        return await self._tail.end()

    def _reached(self, ends: Mapping[Partition, int]) -> bool:
        return all(self._positions.get(partition, 0) >= end for partition, end in ends.items())

    async def _follow(self, tail: Tail, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            records = await tail.poll(max_records=_BATCH, timeout=_POLL_SECONDS)
            for record in records:
                self._hand_over(record)
            if records:
                self.heard_at = self._clock.monotonic()
            self._positions = await tail.positions()
            self._moved.set()

    def _hand_over(self, record: Record) -> None:
        event = read_or_log(record)
        if event is not None:
            self._take(event, record)
