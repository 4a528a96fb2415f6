"""What changed in the projection since given positions, each time as one consistent reading."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from candlelog.events.topics import JOBS_COMMANDS, PROGRESS
from candlelog.market.states import TERMINAL
from candlelog.stores.postgres import Connection, Pool, outages, snapshot
from status_api.adapters import statements
from status_api.adapters.jobs import Job, job_of
from status_api.adapters.tables import TASKS
from status_api.domain.cursors import Positions
from status_api.domain.rows import TaskRow

FIRST_TASKS: Final = 100
"""Tasks shown with a job."""
MOST_CHANGES: Final = 1_000
"""More changed jobs, or tasks, than this are answered by a new snapshot instead."""
_FINISHED_SHOWN: Final = 100

_FINISHED: Final = [str(status) for status in TERMINAL]


@dataclass(frozen=True, slots=True)
class Reading:
    """Jobs as they were when everything below `positions` was folded.

    `complete` is false where too much had changed to list it.
    """

    positions: Positions
    jobs: Sequence[Job]
    complete: bool = True


class ChangeReader:
    """Snapshots and changes; `ids` of None are all jobs. Every method may raise `Unavailable`."""

    def __init__(self, pool: Pool, topic_prefix: str) -> None:
        self._pool = pool
        self._prefix = topic_prefix

    async def positions(self) -> Positions:
        """Next offsets to fold."""
        with outages():
            async with self._pool.acquire() as connection:
                return await self._positions(connection)

    async def snapshot(self, ids: Collection[UUID] | None) -> Reading:
        """Jobs with their first tasks; of all, the unfinished and the newest finished without."""
        async with snapshot(self._pool) as connection:
            positions = await self._positions(connection)
            if ids is None:
                records = await connection.fetch(statements.JOBS_OF_ALL, _FINISHED, _FINISHED_SHOWN)
                return Reading(positions, [job_of(record) for record in records])
            records = await connection.fetch(statements.JOBS_BY_ID, list(ids))
            tasks = await connection.fetch(statements.FIRST_TASKS, list(ids), FIRST_TASKS)
            jobs = [job_of(record) for record in records]
            return Reading(positions, _with_tasks(jobs, [TASKS.of_record(task) for task in tasks]))

    async def since(
        self, seen: Positions, ids: Collection[UUID] | None, tasks_of: Collection[UUID]
    ) -> Reading:
        """Jobs that changed at or past `seen`, those in `tasks_of` with the tasks that did."""
        async with snapshot(self._pool) as connection:
            positions = await self._positions(connection)
            commands = _aligned(seen, positions, JOBS_COMMANDS.name)
            progress = _aligned(seen, positions, PROGRESS.name)
            records = await connection.fetch(
                statements.JOBS_CHANGED,
                list(commands),
                list(commands.values()),
                list(progress),
                list(progress.values()),
                None if ids is None else list(ids),
                MOST_CHANGES + 1,
            )
            jobs = [job_of(record) for record in records]
            tasks = await self._changed_tasks(connection, jobs, tasks_of, progress)
            complete = max(len(jobs), len(tasks)) <= MOST_CHANGES
            return Reading(positions, _with_tasks(jobs, tasks) if complete else (), complete)

    async def _changed_tasks(
        self,
        connection: Connection,
        jobs: Sequence[Job],
        tasks_of: Collection[UUID],
        seen: Mapping[int, int],
    ) -> Sequence[TaskRow]:
        wanted = {
            job.submission.job_id: seen.get(job.progress.progress_partition, 0)
            for job in jobs
            if job.submission.job_id in tasks_of
        }
        if not wanted:
            return ()
        records = await connection.fetch(
            statements.TASKS_CHANGED, list(wanted), list(wanted.values()), MOST_CHANGES + 1
        )
        return [TASKS.of_record(record) for record in records]

    async def _positions(self, connection: Connection) -> Positions:
        found: dict[str, dict[int, int]] = {JOBS_COMMANDS.name: {}, PROGRESS.name: {}}
        topics = [self._prefix + name for name in found]
        for topic, number, position in await connection.fetch(statements.POSITIONS, topics):
            found[topic.removeprefix(self._prefix)][number] = position
        return found


def _aligned(seen: Positions, positions: Positions, topic: str) -> Mapping[int, int]:
    """`seen` for every partition there is; one that was not seen begins at zero."""
    return {number: seen.get(topic, {}).get(number, 0) for number in positions[topic]}


def _with_tasks(jobs: Sequence[Job], tasks: Sequence[TaskRow]) -> Sequence[Job]:
    of_job: dict[UUID, list[TaskRow]] = defaultdict(list)
    for task in tasks:
        of_job[task.job_id].append(task)
    return [replace(job, tasks=tuple(of_job[job.submission.job_id])) for job in jobs]
