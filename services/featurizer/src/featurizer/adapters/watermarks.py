"""The sink's watermarks, followed on the log."""

import asyncio
from collections.abc import Mapping

from candlelog.clock import Clock
from candlelog.events.codec import Message
from candlelog.events.sink import SinkWatermarkV1
from candlelog.events.topics import SINK_WATERMARKS
from candlelog.log.following import Follower
from candlelog.log.ports import Log
from candlelog.log.types import Record


class SinkWatermarks:
    """`Barrier`: the highest watermark of each partition. It only rises."""

    def __init__(self, log: Log, topic_prefix: str, *, clock: Clock) -> None:
        topic = SINK_WATERMARKS.full_name(topic_prefix)
        self._follower = Follower(log, topic, "beginning", self._take, clock=clock)
        self._positions: dict[tuple[str, int], int] = {}
        self._changed = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow until `stopping` is set."""
        await self._follower.run(stopping)

    async def passed(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Wait until everything below these positions is stored."""
        while any(self.position(*at) < wanted for at, wanted in positions.items()):
            self._changed.clear()
            await self._changed.wait()

    def position(self, topic: str, partition: int) -> int:
        """Everything below it is stored; 0 while nothing is known."""
        return self._positions.get((topic, partition), 0)

    def _take(self, event: Message, record: Record) -> None:
        del record
        if isinstance(event, SinkWatermarkV1):
            at = (event.source_topic, event.partition)
            self._positions[at] = max(event.offset, self.position(*at))
            self._changed.set()
