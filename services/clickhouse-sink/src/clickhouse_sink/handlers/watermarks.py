"""How far each partition is stored, said again and again for readers that came late."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

from candlelog.errors import Unavailable
from candlelog.events.sink import SinkWatermarkV1
from candlelog.events.topics import Topic
from candlelog.log.publish import Publisher
from candlelog.log.types import Record


class Watermarks:
    """The position below which everything is readable, for each partition handled and still held.

    What was said of a partition stays on the log for its next owner's readers; to repeat it after
    the partition was taken away would put an old word behind the new owner's.
    """

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._positions: dict[int, int] = {}

    def advance(self, records: Iterable[Record]) -> None:
        """These records, and all before them, are stored or given up."""
        for record in records:
            number, position = record.partition.number, record.offset + 1
            self._positions[number] = max(position, self._positions.get(number, 0))

    def forget(self) -> None:
        """The partitions were taken away."""
        self._positions.clear()

    def events(self) -> list[SinkWatermarkV1]:
        """The watermark of every partition."""
        return [
            SinkWatermarkV1(source_topic=self._topic.name, partition=number, offset=position)
            for number, position in sorted(self._positions.items())
        ]


async def repeat(
    watermarks: Sequence[Watermarks],
    publisher: Publisher,
    stopping: asyncio.Event,
    seconds: float,
) -> None:
    """Publish all watermarks every `seconds` until told to stop; an outage is waited out."""
    while not stopping.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stopping.wait()
        with suppress(Unavailable):
            await publisher.publish(*(event for each in watermarks for event in each.events()))
