"""What the services need of a log. `KafkaLog` and `MemoryLog` both keep these promises.

Topics and groups are named as the broker knows them, with the prefix. Every method may raise
`Unavailable`: the broker cannot be reached now, and the same call may work later.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, overload

from candlelog.log.types import AT_ONCE, Fetch, Outgoing, Partition, Record

Release = Callable[[], Awaitable[None]]
"""Called before *all* partitions of a consumer are taken away: finish or drop what is in hand,
and commit. It is awaited, so it must be bounded in time."""

Start = Mapping[Partition, int] | Literal["beginning", "end"]
"""Where a tail begins; partitions that a mapping does not name begin at their first record."""


class Consumer(Protocol):
    """A member of a consumer group."""

    @property
    def lag(self) -> int:
        """Records between what was committed and the ends of the partitions held, as last seen."""
        ...

    async def poll(self, *, max_records: int, timeout: float) -> Sequence[Record]:  # noqa: ASYNC109 - a Kafka user's word: waits, and returns nothing
        """Up to `max_records` new records, in order within each partition.

        Waits up to `timeout` seconds for the first one. Records of an assignment that was taken
        away are never returned; they come again, from the committed position, to whom they belong.
        """
        ...

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Store positions (the next offset to read); those of lost partitions are dropped."""
        ...

    def before_revoke(self, release: Release) -> None:
        """Have `release` called before partitions are taken away. Replaces an earlier one."""
        ...


class Producer(Protocol):
    """Appends records."""

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """Append and return the offsets, in the order of `messages`, once all are durable.

        On `Unavailable` some of the messages may have been appended, or may yet be.
        """
        ...


class TransactionalProducer(Protocol):
    """The one producer with its transactional id; opening it fences the one opened before."""

    async def send_atomically(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """Append all or nothing and return the offsets.

        Raises `Fenced` once a newer producer has the id. After `Fenced` or `Unavailable` (when
        it is unknown whether the messages stand) this producer is of no more use.
        """
        ...


class Tail(Protocol):
    """Reads every partition of its topics, without a group; sees committed records only."""

    async def poll(self, *, max_records: int, timeout: float) -> Sequence[Record]:  # noqa: ASYNC109 - a Kafka user's word: waits, and returns nothing
        """Up to `max_records` new records, waiting up to `timeout` seconds for the first one."""
        ...

    async def end(self) -> Mapping[Partition, int]:
        """The end positions now; they count everything committed so far."""
        ...

    async def positions(self) -> Mapping[Partition, int]:
        """The next offset to read, of every partition.

        Compare these with `end()`, never offsets of records: markers of transactions and
        compaction leave holes, also at the end.
        """
        ...


class Log(Protocol):
    """Opens readers and writers. A context that is left closes its reader or writer in order."""

    def consumer(
        self, topics: Sequence[str], group: str, *, fetch: Fetch = AT_ONCE
    ) -> AbstractAsyncContextManager[Consumer]:
        """Join `group`. Without a committed position a partition is read from its beginning."""
        ...

    @overload
    def producer(
        self, *, transactional_id: None = None
    ) -> AbstractAsyncContextManager[Producer]: ...

    @overload
    def producer(
        self, *, transactional_id: str
    ) -> AbstractAsyncContextManager[TransactionalProducer]: ...

    def tail(self, topics: Sequence[str], *, start: Start) -> AbstractAsyncContextManager[Tail]:
        """Read `topics` from `start`."""
        ...
