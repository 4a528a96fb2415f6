"""The projection in memory: for tests and simulations."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Set
from contextlib import asynccontextmanager
from copy import copy
from typing import TypeVar
from uuid import UUID

from candlelog.log.types import Partition
from status_api.domain.rows import Keys, Rows

R = TypeVar("R")


class MemoryProjectionStore:
    """Keeps `ProjectionStore`'s promises for one process."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.positions: dict[Partition, int] = {}

    @asynccontextmanager
    async def transaction(self, partitions: Set[Partition]) -> AsyncGenerator["_Transaction"]:
        """Begin a batch."""
        yield _Transaction(self, {each: self.positions.get(each, 0) for each in partitions})

    async def drop_deleted(self) -> bool:
        """Drop a task of a deleted job with its chunks."""
        rows = self.rows
        for task in rows.tasks.values():
            if rows.jobs[task.job_id].state == "deleted":
                del rows.tasks[task.task_id]
                rows.chunks = {
                    key: chunk
                    for key, chunk in rows.chunks.items()
                    if chunk.task_id != task.task_id
                }
                return True
        return False


class _Transaction:
    def __init__(self, store: MemoryProjectionStore, positions: Mapping[Partition, int]) -> None:
        self._store = store
        self.positions = positions

    async def load(self, keys: Keys) -> Rows:
        rows = self._store.rows
        return Rows(
            jobs=_copies(rows.jobs, keys.jobs),
            tasks=_copies(rows.tasks, keys.tasks),
            chunks=_copies(rows.chunks, keys.chunks),
            gaps=_copies(rows.gaps, keys.gaps),
            shadows=_copies(rows.shadows, keys.shadows),
            files=_copies(rows.files, keys.files),
        )

    async def save(self, rows: Rows, positions: Mapping[Partition, int]) -> None:
        kept = self._store.rows
        kept.submissions = rows.submissions | kept.submissions
        kept.answers = rows.answers | kept.answers
        kept.jobs |= rows.jobs
        kept.tasks |= rows.tasks
        kept.chunks |= rows.chunks
        kept.gaps |= rows.gaps
        kept.shadows |= rows.shadows
        kept.files |= rows.files
        kept.fills = rows.fills | kept.fills
        self._store.positions.update(positions)


def _copies(rows: Mapping[UUID, R], wanted: Iterable[UUID]) -> dict[UUID, R]:
    return {key: copy(rows[key]) for key in wanted if key in rows}
