"""The projection in Postgres: rows and consumed offsets in one transaction."""

from collections.abc import AsyncGenerator, Mapping, Set
from contextlib import asynccontextmanager
from typing import Final

from candlelog.log.types import Partition
from candlelog.stores.postgres import Connection, PartitionOffsets, Pool, outages
from status_api.adapters import statements
from status_api.adapters.tables import ANSWERS, CHUNKS, JOBS, SUBMISSIONS, TASKS, TableAccess
from status_api.domain.rows import Keys, Rows

_OFFSETS: Final = PartitionOffsets()


class PostgresProjectionStore:
    """Keeps `ProjectionStore`'s promises between all replicas: a partition's row of
    `consumed_offsets` stays locked until the transaction ends, which also holds off a process that
    wrongly believes it still owns the partition.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._submissions = TableAccess(SUBMISSIONS)
        self._jobs = TableAccess(JOBS)
        self._tasks = TableAccess(TASKS)
        self._chunks = TableAccess(CHUNKS)
        self._answers = TableAccess(ANSWERS)

    @asynccontextmanager
    async def transaction(self, partitions: Set[Partition]) -> AsyncGenerator["_Transaction"]:
        """Begin a batch of these partitions."""
        with outages():
            async with self._pool.acquire() as connection, connection.transaction():
                positions = await _OFFSETS.lock(connection, partitions)
                yield _Transaction(self, connection, positions)

    async def projection_id(self) -> str:
        """What tells this projection from one in an empty database; names its consumer group."""
        with outages():
            return str(await self._pool.fetchval(statements.PROJECTION))

    async def load(self, connection: Connection, keys: Keys) -> Rows:
        """The rows that stand."""
        return Rows(
            jobs=await self._jobs.load(connection, keys.jobs),
            tasks=await self._tasks.load(connection, keys.tasks),
            chunks=await self._chunks.load(connection, keys.chunks),
        )

    async def save(self, connection: Connection, rows: Rows) -> None:
        """Write every row."""
        await self._submissions.save(connection, rows.submissions)
        await self._jobs.save(connection, rows.jobs)
        await self._tasks.save(connection, rows.tasks)
        await self._chunks.save(connection, rows.chunks)
        await self._answers.save(connection, rows.answers)


class _Transaction:
    def __init__(
        self,
        store: PostgresProjectionStore,
        connection: Connection,
        positions: Mapping[Partition, int],
    ) -> None:
        self._store = store
        self._connection = connection
        self.positions = positions

    async def load(self, keys: Keys) -> Rows:
        return await self._store.load(self._connection, keys)

    async def save(self, rows: Rows, positions: Mapping[Partition, int]) -> None:
        await self._store.save(self._connection, rows)
        await _OFFSETS.advance(self._connection, positions)
