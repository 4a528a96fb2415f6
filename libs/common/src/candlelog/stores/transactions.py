"""One transaction: rows, consumed offsets and what is to be said, or nothing."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from candlelog.events.event import Event
from candlelog.log.publish import Publisher
from candlelog.log.types import Partition, Received
from candlelog.stores import outbox
from candlelog.stores.postgres import Connection, PartitionOffsets, Pool, outages

_SLICE: Final = 500
"""Events encoded between two statements: the event loop gets its turn in between."""


class Transaction:
    """A Postgres transaction, and the events that will follow from it."""

    def __init__(self, connection: Connection) -> None:
        self.connection: Final = connection
        self.said: Final[list[Event]] = []

    def say(self, *events: Event) -> None:
        """Publish these events, in this order, once the transaction has committed."""
        self.said.extend(events)

    async def consumed(self, received: Received) -> bool:
        """Whether a record was consumed before; who asks does not consume it.

        Waits while another transaction consumes from its partition.
        """
        partition, offset = received.record.partition, received.record.offset
        return offset < (await PartitionOffsets().lock(self.connection, [partition]))[partition]

    async def fresh(self, received: Sequence[Received]) -> list[bool]:
        """Which records were not consumed before; from this transaction on they are.

        Waits while another transaction consumes from one of their partitions.
        """
        positions = await PartitionOffsets().lock(
            self.connection, {one.record.partition for one in received}
        )
        news: list[bool] = []
        after: dict[Partition, int] = {}
        for one in received:
            partition, offset = one.record.partition, one.record.offset
            news.append(offset >= positions[partition])
            after[partition] = max(after.get(partition, 0), offset + 1)
        await PartitionOffsets().advance(self.connection, after)
        return news


class Transactions:
    """Begins transactions; wakes whoever waits for what they leave behind."""

    def __init__(self, pool: Pool, publisher: Publisher) -> None:
        self._pool = pool
        self._publisher = publisher
        self.outbox_filled: Final = asyncio.Event()
        """Set when a commit has left events in the outbox."""

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[Transaction]:
        """A transaction that commits when the block ends, and not when it raises.

        Raises `Unavailable` when Postgres is away; whether it has committed is then unknown.
        """
        with outages():
            async with self._pool.acquire() as connection, connection.transaction():
                transaction = Transaction(connection)
                yield transaction
                await self._write(transaction)
        if transaction.said:
            self.outbox_filled.set()

    async def _write(self, transaction: Transaction) -> None:
        said = transaction.said
        for first in range(0, len(said), _SLICE):
            records = [self._publisher.outgoing(event) for event in said[first : first + _SLICE]]
            await outbox.append(transaction.connection, records)
