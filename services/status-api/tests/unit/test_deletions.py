"""Rows of deleted jobs are dropped until there are none, and no others."""

import asyncio
from collections import Counter
from uuid import UUID, uuid5

import pytest

from candlelog.errors import Unavailable
from status_api.adapters.memory import MemoryProjectionStore
from status_api.domain.rows import ChunkRow, JobRow, TaskRow
from status_api.handlers.deletions import Deletions

SPACE = UUID(int=9)


class Store(MemoryProjectionStore):
    """Two deleted jobs and one that runs, of two tasks with three chunks each."""

    def __init__(self, *, outages: int = 0) -> None:
        super().__init__()
        self.outages = outages
        self.empty = asyncio.Event()
        for name in ("deleted", "running", "deleted too"):
            job = uuid5(SPACE, name)
            state = "running" if name == "running" else "deleted"
            self.rows.jobs[job] = JobRow(
                job_id=job, state=state, progress_partition=0, progress_offset=0
            )
            for task in (uuid5(job, "one"), uuid5(job, "two")):
                self.rows.tasks[task] = TaskRow(task_id=task, job_id=job, progress_offset=0)
                for number in range(3):
                    chunk = uuid5(task, str(number))
                    self.rows.chunks[chunk] = ChunkRow(
                        chunk_id=chunk, job_id=job, task_id=task, state="stored", generation=0,
                        release=1,
                    )  # fmt: skip

    async def drop_deleted(self) -> bool:
        if self.outages:
            self.outages -= 1
            raise Unavailable("the store is away")
        dropped = await super().drop_deleted()
        if not dropped:
            self.empty.set()
        return dropped

    def left(self) -> Counter[UUID]:
        """Rows by job."""
        rows = (*self.rows.tasks.values(), *self.rows.chunks.values())
        return Counter(row.job_id for row in rows)


@pytest.mark.parametrize("outages", [0, 1])
async def test_everything_of_deleted_jobs_goes_and_nothing_of_others(
    outages: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("status_api.handlers.deletions._PAUSE_SECONDS", 0.01)
    store, stopping = Store(outages=outages), asyncio.Event()
    dropping = asyncio.create_task(Deletions(store).run(stopping))
    await store.empty.wait()
    stopping.set()
    await dropping
    assert store.left() == {uuid5(SPACE, "running"): 2 + 2 * 3}


async def test_a_replica_that_stops_does_not_drop_on_to_the_end():
    store, stopping = Store(), asyncio.Event()
    stopping.set()
    await Deletions(store).run(stopping)
    assert store.left().total() == 3 * (2 + 2 * 3)
