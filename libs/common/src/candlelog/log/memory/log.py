"""Opens readers and writers in memory."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, overload

from candlelog.clock import Clock, SystemClock
from candlelog.errors import Fenced
from candlelog.events.topics import TOPICS
from candlelog.log.memory.group import MemoryConsumer, MemoryGroup
from candlelog.log.memory.store import Cursor, MemoryStore
from candlelog.log.ports import Producer, Start, TransactionalProducer
from candlelog.log.types import AT_ONCE, Fetch, Outgoing, Partition, Record


class MemoryLog:
    """`Log` that holds the topics of the table, under a prefix, in this process.

    Setting `away` makes every call raise `Unavailable`, as when the broker is gone.
    """

    def __init__(self, *, topic_prefix: str = "candlelog.", clock: Clock | None = None) -> None:
        topics = {topic.full_name(topic_prefix): topic.partitions for topic in TOPICS}
        self._store: Final = MemoryStore(topics, clock or SystemClock())
        self._groups: dict[str, MemoryGroup] = {}
        self._newest: dict[str, MemoryTransactionalProducer] = {}

    @property
    def away(self) -> bool:
        """Whether calls fail now."""
        return self._store.away

    @away.setter
    def away(self, away: bool) -> None:
        self._store.away = away

    def records(self, topic: str) -> Sequence[Record]:
        """Everything on a topic, partition by partition: for assertions."""
        return [
            record
            for partition in self._store.partitions([topic])
            for record in self._store.read(partition, 0, self._store.end(partition))
        ]

    @asynccontextmanager
    async def consumer(
        self, topics: Sequence[str], group: str, *, fetch: Fetch = AT_ONCE
    ) -> AsyncGenerator[MemoryConsumer]:
        """Join `group`; `fetch` means nothing here: records are seen at once."""
        del fetch
        self._store.partitions(topics)
        joined = self._groups.setdefault(group, MemoryGroup(self._store))
        member = MemoryConsumer(self._store, joined, topics)
        await joined.join(member)
        try:
            yield member
        finally:
            await joined.leave(member)

    @overload
    def producer(
        self, *, transactional_id: None = None
    ) -> AbstractAsyncContextManager[Producer]: ...

    @overload
    def producer(
        self, *, transactional_id: str
    ) -> AbstractAsyncContextManager[TransactionalProducer]: ...

    def producer(
        self, *, transactional_id: str | None = None
    ) -> AbstractAsyncContextManager[Producer] | AbstractAsyncContextManager[TransactionalProducer]:
        """A producer; with a transactional id, it fences the one before it."""
        if transactional_id is None:
            return self._plain()
        return self._transactional(transactional_id)

    @asynccontextmanager
    async def tail(self, topics: Sequence[str], *, start: Start) -> AsyncGenerator["MemoryTail"]:
        """Read `topics` from `start`."""
        partitions = self._store.partitions(topics)
        yield MemoryTail(
            self._store,
            {
                partition: self._store.end(partition)
                if start == "end"
                else (0 if start == "beginning" else start.get(partition, 0))
                for partition in partitions
            },
        )

    @asynccontextmanager
    async def _plain(self) -> AsyncGenerator["MemoryProducer"]:
        yield MemoryProducer(self._store)

    @asynccontextmanager
    async def _transactional(self, name: str) -> AsyncGenerator["MemoryTransactionalProducer"]:
        self._store.check()
        producer = MemoryTransactionalProducer(self._store, name, self._newest)
        self._newest[name] = producer
        yield producer


class MemoryProducer:
    """`Producer` in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """Append and return the offsets."""
        return [offset for _, offset in self._store.append(messages)]


class MemoryTransactionalProducer:
    """`TransactionalProducer` in memory; `newest` knows who holds each id."""

    def __init__(
        self,
        store: MemoryStore,
        name: str,
        newest: Mapping[str, "MemoryTransactionalProducer"],
    ) -> None:
        self._store = store
        self._name = name
        self._newest = newest

    async def send_atomically(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """Append all or nothing and return the offsets."""
        self._store.check()
        if self._newest[self._name] is not self:
            raise Fenced(f"a newer producer has taken over {self._name!r}")
        places = self._store.append(messages)
        self._store.mark({partition for partition, _ in places})
        return [offset for _, offset in places]


class MemoryTail:
    """`Tail` in memory."""

    def __init__(self, store: MemoryStore, positions: Mapping[Partition, int]) -> None:
        self._store = store
        self._cursor = Cursor(store, positions)

    async def poll(self, *, max_records: int, timeout: float) -> Sequence[Record]:  # noqa: ASYNC109 - part of the port
        """New records."""
        return await self._cursor.poll(max_records, timeout)

    async def end(self) -> Mapping[Partition, int]:
        """The end positions now."""
        self._store.check()
        return {partition: self._store.end(partition) for partition in self._cursor.positions}

    async def positions(self) -> Mapping[Partition, int]:
        """The next offset to read, of every partition."""
        self._store.check()
        return dict(self._cursor.positions)
