"""Postgres: a pool, outages mapped once, and consumed offsets beside the rows they produced."""

from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from candlelog.errors import Unavailable
from candlelog.log.types import Partition

Connection = asyncpg.Connection | PoolConnectionProxy
Pool = asyncpg.Pool

_OUTAGES: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


@contextmanager
def outages() -> Generator[None]:
    """Map what means "Postgres is away, or try again" to `Unavailable`."""
    try:
        yield
    except _OUTAGES as error:
        raise Unavailable(f"Postgres: {error or type(error).__name__}") from error


@asynccontextmanager
async def connect(
    dsn: str, *, schema: str, min_size: int = 1, max_size: int = 4, idle_seconds: int = 15
) -> AsyncGenerator[Pool]:
    """A pool whose connections look names up in `schema`; JSON columns hold Python values.

    A transaction in which nothing is asked for `idle_seconds` is ended by the server: a process
    stopped inside one must not hold its locks for ever.
    """
    with outages():
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            init=_prepare,
            command_timeout=30,
            server_settings={
                "search_path": schema,
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": f"{idle_seconds}s",
            },
        )
    try:
        yield pool
    finally:
        pool.terminate()


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncGenerator[Connection]:
    """A connection whose queries all see the rows of one moment. Raises `Unavailable`."""
    with outages():
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection


async def _prepare(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind,
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.loads,
            schema="pg_catalog",
        )


_LOCK = """
SELECT topic, partition, next_offset FROM consumed_offsets
WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::int[]))
ORDER BY topic, partition FOR UPDATE
"""
_INSERT = """
INSERT INTO consumed_offsets (topic, partition, next_offset)
SELECT topic, partition, 0 FROM unnest($1::text[], $2::int[]) AS new (topic, partition)
ORDER BY topic, partition ON CONFLICT DO NOTHING
"""
_ADVANCE = """
UPDATE consumed_offsets AS kept SET next_offset = greatest(kept.next_offset, done.next_offset)
FROM unnest($1::text[], $2::int[], $3::bigint[]) AS done (topic, partition, next_offset)
WHERE kept.topic = done.topic AND kept.partition = done.partition
"""


class PartitionOffsets:
    """Consumed offsets in the table `consumed_offsets`, moved in the transaction of their effects.

    A record below the locked offset was handled before; a second process that believes it owns
    the partition waits for the row and then finds its records old.
    """

    async def lock(
        self, connection: Connection, partitions: Iterable[Partition]
    ) -> dict[Partition, int]:
        """Lock the rows of these partitions until the transaction ends; next offset of each."""
        topics, numbers = _columns(partitions)
        rows = await connection.fetch(_LOCK, topics, numbers)
        if len(rows) < len(topics):
            await connection.execute(_INSERT, topics, numbers)
            rows = await connection.fetch(_LOCK, topics, numbers)
        return {Partition(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def advance(self, connection: Connection, positions: Mapping[Partition, int]) -> None:
        """Say that everything below these positions is done."""
        topics, numbers = _columns(positions)
        done = [positions[Partition(*pair)] for pair in zip(topics, numbers, strict=True)]
        await connection.execute(_ADVANCE, topics, numbers, done)


def _columns(partitions: Iterable[Partition]) -> tuple[list[str], list[int]]:
    ordered = sorted(set(partitions))
    return [p.topic for p in ordered], [p.number for p in ordered]
