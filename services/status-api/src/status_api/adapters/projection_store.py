"""The projection in Postgres: rows and consumed offsets in one transaction."""

from collections.abc import AsyncGenerator, Mapping, Set
from contextlib import asynccontextmanager
from typing import Final

from candlelog.log.types import Partition
from candlelog.stores.postgres import Connection, PartitionOffsets, Pool, outages
from status_api.adapters import statements
from status_api.adapters.tables import (
    ANSWERS,
    CHUNKS,
    FILES,
    FILLS,
    GAPS,
    JOBS,
    SHADOWS,
    SUBMISSIONS,
    TASKS,
)
from status_api.domain.rows import Keys, Rows

_OFFSETS: Final = PartitionOffsets()
_DROPPED_AT_ONCE: Final = 5_000
"""Rows of one transaction: a job may have a million chunks, and nobody is to wait for them."""


class PostgresProjectionStore:
    """Keeps `ProjectionStore`'s promises between all replicas: a partition's row of
    `consumed_offsets` stays locked until the transaction ends, which also holds off a process that
    wrongly believes it still owns the partition.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self, partitions: Set[Partition]) -> AsyncGenerator["_Transaction"]:
        """Begin a batch of these partitions."""
        with outages():
            async with self._pool.acquire() as connection, connection.transaction():
                positions = await _OFFSETS.lock(connection, partitions)
                yield _Transaction(connection, positions)

    async def drop_deleted(self) -> bool:
        """Drop some rows of deleted jobs, and leave those that another replica drops."""
        with outages():
            async with self._pool.acquire() as connection, connection.transaction():
                found = await connection.fetch(statements.TASKS_TO_DROP, _DROPPED_AT_ONCE)
                tasks = [row["task_id"] for row in found]
                if not tasks:
                    return False
                chunks = await connection.fetchval(statements.DROP_CHUNKS, tasks, _DROPPED_AT_ONCE)
                if chunks < _DROPPED_AT_ONCE:
                    await connection.execute(statements.DROP_TASKS, tasks)
        return True

    async def projection_id(self) -> str:
        """What tells this projection from one in an empty database; names its consumer group."""
        with outages():
            return str(await self._pool.fetchval(statements.PROJECTION))


class _Transaction:
    def __init__(self, connection: Connection, positions: Mapping[Partition, int]) -> None:
        self._connection = connection
        self.positions = positions

    async def load(self, keys: Keys) -> Rows:
        return Rows(
            jobs=await JOBS.load(self._connection, keys.jobs),
            tasks=await TASKS.load(self._connection, keys.tasks),
            chunks=await CHUNKS.load(self._connection, keys.chunks),
            gaps=await GAPS.load(self._connection, keys.gaps),
            shadows=await SHADOWS.load(self._connection, keys.shadows),
            files=await FILES.load(self._connection, keys.files),
        )

    async def save(self, rows: Rows, positions: Mapping[Partition, int]) -> None:
        await SUBMISSIONS.save(self._connection, rows.submissions)
        await JOBS.save(self._connection, rows.jobs)
        await TASKS.save(self._connection, rows.tasks)
        await CHUNKS.save(self._connection, rows.chunks)
        await ANSWERS.save(self._connection, rows.answers)
        await GAPS.save(self._connection, rows.gaps)
        await FILLS.save(self._connection, rows.fills)
        await SHADOWS.save(self._connection, rows.shadows)
        await FILES.save(self._connection, rows.files)
        await _OFFSETS.advance(self._connection, positions)
