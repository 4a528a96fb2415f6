"""Rows of jobs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from candlelog.market.states import Status
from candlelog.stores.postgres import Connection
from coordinator.adapters import statements
from coordinator.domain.fairness import Claim
from coordinator.domain.jobs import Job
from coordinator.domain.outcomes import JobCounts
from coordinator.domain.routes import Route


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a job is when its row is written."""

    job_id: UUID
    exchange: str
    priority: int
    max_attempts: int
    status: Status
    version: int
    tasks_total: int
    submitted_at: datetime


async def insert(connection: Connection, job: NewJob) -> bool:
    """Write a new job; False when there is one with its id."""
    found = await connection.fetchval(
        statements.INSERT_JOB,
        job.job_id,
        job.exchange,
        job.priority,
        job.max_attempts,
        job.status,
        job.version,
        job.tasks_total,
        job.submitted_at,
    )
    return found is not None


async def plan(
    connection: Connection,
    job: Job,
    chunks: Mapping[Route, int],
    *,
    counts: JobCounts,
) -> None:
    """Write what the plan of a job counts: its tasks, of which some may be over at once, and the
    chunks of each route."""
    await connection.execute(
        statements.PLAN_JOB,
        job.job_id,
        counts.tasks_total,
        counts.tasks_completed,
        counts.tasks_with_errors,
    )
    await connection.execute(
        statements.INSERT_CLAIMS, job.job_id, list(chunks), list(chunks.values())
    )


async def was_refused(connection: Connection, job_id: UUID) -> bool:
    """Whether the command that asked for the job was refused."""
    return bool(await connection.fetchval(statements.WAS_REFUSED, job_id))


async def lock(connection: Connection, job_ids: Iterable[UUID]) -> dict[UUID, Job]:
    """The jobs that exist of these, locked, in the one order that all writers keep."""
    rows = await connection.fetch(statements.LOCK_JOBS, list(job_ids))
    return {row["job_id"]: _job(row) for row in rows}


async def lock_unfinished(connection: Connection) -> list[Job]:
    """Every job that is not over, locked in that order."""
    return [_job(row) for row in await connection.fetch(statements.LOCK_OPEN_JOBS)]


async def claims(
    connection: Connection, exchange: str, route: Route, *, credit: int
) -> list[Claim]:
    """Jobs of an exchange that have chunks of a route to release, oldest first; of those that go
    on no more are counted than there is credit for."""
    rows = await connection.fetch(statements.CLAIMS, exchange, route, credit)
    return [Claim(*row) for row in rows]


async def move(connection: Connection, job: Job, status: Status) -> Job:
    """Give a locked job its next state; its version rises by one. The job as it is then."""
    await connection.execute(statements.MOVE_JOB, job.job_id, status)
    return replace(job, status=status, version=job.version + 1)


async def note_command(connection: Connection, job: Job, correlation_id: UUID) -> None:
    """Note the command that changes a locked job."""
    await connection.execute(statements.NOTE_COMMAND, job.job_id, correlation_id)


async def fence(connection: Connection, job: Job) -> None:
    """Write the generation of a locked job; what was given out in an older one is fenced off."""
    await connection.execute(statements.FENCE_JOB, job.job_id, job.generation)


async def count_claims(connection: Connection, job_id: UUID) -> None:
    """Count anew what is to be released of a job: the chunks of its tasks that are not held."""
    await connection.execute(statements.COUNT_CLAIMS, job_id)


async def count_released(connection: Connection, chunks: Mapping[UUID, int], route: Route) -> None:
    """So many chunks more of these jobs were released."""
    await connection.execute(statements.COUNT_RELEASED, list(chunks), list(chunks.values()), route)


async def open_lanes(connection: Connection) -> set[tuple[str, Route]]:
    """The exchanges of jobs that are not over, with the routes on which they have chunks."""
    rows = await connection.fetch(statements.OPEN_LANES)
    return {(row["exchange"], Route(row["route"])) for row in rows}


async def forget_claims(connection: Connection, job_ids: Iterable[UUID]) -> None:
    """These jobs are over: nothing more of them is released."""
    await connection.execute(statements.FORGET_CLAIMS, list(job_ids))


async def count_tasks(connection: Connection, ended: Mapping[UUID, Mapping[Status, int]]) -> None:
    """So many tasks more of these jobs ended that way; less, where the number is negative."""
    ways = (Status.COMPLETED, Status.COMPLETED_WITH_ERRORS, Status.FAILED, Status.CANCELLED)
    await connection.execute(
        statements.COUNT_TASKS,
        list(ended),
        *([counts.get(way, 0) for counts in ended.values()] for way in ways),
    )


async def counts(connection: Connection, job_ids: Iterable[UUID]) -> dict[UUID, JobCounts]:
    """How the tasks of these jobs ended so far."""
    rows = await connection.fetch(statements.TASK_COUNTS, list(job_ids))
    return {row["job_id"]: JobCounts(*tuple(row)[1:]) for row in rows}


def _job(row: Mapping[str, Any]) -> Job:
    return Job(
        job_id=row["job_id"],
        exchange=row["exchange"],
        status=Status(row["status"]),
        version=row["version"],
        generation=row["generation"],
        max_attempts=row["max_attempts"],
        steered_by=row["steered_by"],
    )
