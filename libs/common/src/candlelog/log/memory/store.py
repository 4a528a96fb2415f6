"""Partitions in memory, and a cursor over them."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from candlelog.clock import Clock
from candlelog.errors import Unavailable
from candlelog.log.partitioner import partition_of
from candlelog.log.types import Outgoing, Partition, Record


@dataclass(slots=True)
class _Stored:
    records: list[Record] = field(default_factory=list[Record])
    end: int = 0


class MemoryStore:
    """Topics with their partitions; every call raises `Unavailable` while `away` is set."""

    def __init__(self, topics: Mapping[str, int], clock: Clock) -> None:
        self.away = False
        self._topics = topics
        self._clock = clock
        self._stored = {
            Partition(topic, number): _Stored()
            for topic, count in topics.items()
            for number in range(count)
        }
        self._news = asyncio.Event()

    def partitions(self, topics: Iterable[str]) -> Sequence[Partition]:
        """The partitions of `topics`, sorted; an unknown topic is `Unavailable`, as on Kafka."""
        self.check()
        return sorted(
            Partition(topic, number) for topic in topics for number in range(self._count(topic))
        )

    def append(self, messages: Sequence[Outgoing]) -> Sequence[tuple[Partition, int]]:
        """Append records and wake the readers; returns where each stands."""
        self.partitions({message.topic for message in messages})
        places = [self._append(message) for message in messages]
        self.wake()
        return places

    def mark(self, partitions: Iterable[Partition]) -> None:
        """End a transaction: its marker takes an offset of each partition."""
        for partition in partitions:
            self._stored[partition].end += 1
        self.wake()

    def read(self, partition: Partition, position: int, count: int) -> Sequence[Record]:
        """Up to `count` records from `position` on."""
        records = self._stored[partition].records
        first = bisect_left(records, position, key=lambda record: record.offset)
        return records[first : first + count]

    def end(self, partition: Partition) -> int:
        """The offset the next record gets."""
        return self._stored[partition].end

    async def news(self) -> None:
        """Wait until something was appended."""
        await self._news.wait()

    def wake(self) -> None:
        """Have waiting readers look again."""
        self._news.set()
        self._news = asyncio.Event()

    def check(self) -> None:
        """Raise `Unavailable` while away."""
        if self.away:
            raise Unavailable("the log in memory is away")

    def _append(self, message: Outgoing) -> tuple[Partition, int]:
        number = partition_of(message.key, self._count(message.topic))
        partition = Partition(message.topic, number)
        stored = self._stored[partition]
        offset = stored.end
        stored.records.append(
            Record(
                partition=partition,
                offset=offset,
                key=message.key,
                value=message.value,
                headers=message.headers,
                appended_at=self._clock.now(),
            )
        )
        stored.end += 1
        return partition, offset

    def _count(self, topic: str) -> int:
        count = self._topics.get(topic)
        if count is None:
            raise Unavailable(f"no topic {topic!r}")
        return count


class Cursor:
    """Reads on from a position of each partition."""

    def __init__(self, store: MemoryStore, positions: Mapping[Partition, int]) -> None:
        self._store = store
        self.positions = dict(positions)

    async def poll(self, max_records: int, timeout: float) -> Sequence[Record]:  # noqa: ASYNC109 - part of the port
        """New records, waiting up to `timeout` seconds for the first."""
        self._store.check()
        await asyncio.sleep(0)  # a reader that always finds something lets others run too
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not (records := self._take(max_records)):
                    await self._store.news()
                return records
        return ()

    def _take(self, max_records: int) -> Sequence[Record]:
        taken: list[Record] = []
        for partition, position in self.positions.items():
            found = self._store.read(partition, position, max_records - len(taken))
            taken.extend(found)
            if len(taken) >= max_records:
                self.positions[partition] = found[-1].offset + 1 if found else position
                break
            self.positions[partition] = self._store.end(partition)
        return taken
