"""Reading jobs from the projection."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from candlelog.stores.postgres import Pool, outages, snapshot
from status_api.adapters import statements
from status_api.adapters.tables import JOBS, SHADOWS, SUBMISSIONS, TASKS
from status_api.domain.cursors import JobKey
from status_api.domain.rows import JobRow, Periods, ShadowRow, Submission, TaskRow

NOT_YET: Final = -1
"""Partition and offset of a job nothing was said about."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job's two rows, what is missing of it, and the tasks to show with it.

    `missing` are the first periods, each with `symbol`, `timeframe`, `start` and `end`.
    """

    submission: Submission
    progress: JobRow
    missing: Periods = field(default_factory=Periods)
    tasks: tuple[TaskRow, ...] = ()

    @property
    def deleted(self) -> bool:
        """Whether nothing but its id is to be known of it any more."""
        return self.progress.state == "deleted"


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; None is any."""

    status: str | None = None
    symbol: str | None = None
    kind: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The coordinator's answer to a command."""

    accepted: bool
    code: str
    reason: str


class JobReader:
    """Jobs, tasks and answers as they are projected. Every method may raise `Unavailable`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def job(self, job_id: UUID) -> Job | None:
        """One job, without tasks; also one that was deleted."""
        with outages():
            record = await self._pool.fetchrow(statements.JOBS_BY_ID, [job_id])
        return None if record is None else job_of(record)

    async def page(self, wanted: JobFilter, *, after: JobKey | None, limit: int) -> Sequence[Job]:
        """Jobs, newest first, behind `after`."""
        last = (None, None) if after is None else (after.submitted_at, after.job_id)
        with outages():
            records = await self._pool.fetch(
                statements.JOBS_PAGE,
                wanted.status,
                wanted.symbol,
                wanted.kind,
                wanted.since,
                *last,
                limit,
            )
        return [job_of(record) for record in records]

    async def tasks(self, job_id: UUID, *, after: int = NOT_YET, limit: int) -> Sequence[TaskRow]:
        """Tasks in the order they were planned, behind `after`."""
        with outages():
            records = await self._pool.fetch(statements.TASKS_PAGE, job_id, after, limit)
        return [TASKS.of_record(record) for record in records]

    async def decision(self, correlation_id: UUID) -> Decision | None:
        """The answer to a command, once there is one."""
        with outages():
            record = await self._pool.fetchrow(statements.ANSWER, correlation_id)
        return None if record is None else Decision(**dict(record))

    async def candle_replay(self, job_id: UUID) -> tuple[Job, ShadowRow]:
        """A replay of candles that there is, and what is known of its shadow at the same moment."""
        async with snapshot(self._pool) as connection:
            record = await connection.fetchrow(statements.JOBS_BY_ID, [job_id])
            shadow = await connection.fetchrow(statements.SHADOW, job_id)
        assert record is not None  # submissions are never deleted
        known = ShadowRow(job_id=job_id) if shadow is None else SHADOWS.of_record(shadow)
        return job_of(record), known

    async def open_shadow(self) -> UUID | None:
        """The replay of candles that is not closed."""
        with outages():
            return await self._pool.fetchval(statements.OPEN_SHADOW)

    async def states_since(self, since: datetime) -> Mapping[str, int]:
        """How many jobs that were submitted or ended since then are in each state."""
        with outages():
            records = await self._pool.fetch(statements.JOB_STATES_SINCE, since)
        return {record["state"]: record["jobs"] for record in records}

    async def existing(self, job_ids: Collection[UUID]) -> set[UUID]:
        """Which of these jobs there are, and were not deleted."""
        with outages():
            records = await self._pool.fetch(statements.JOBS_BY_ID, list(job_ids))
        return {record["s_job_id"] for record in records if record["j_state"] != "deleted"}

    async def ping(self) -> None:
        """Return when Postgres answers."""
        with outages():
            await self._pool.fetchval("SELECT 1")


def job_of(record: Mapping[str, Any]) -> Job:
    """The two rows of a joined record; a job nothing was said about is pending."""
    submission = SUBMISSIONS.of_record(record, "s_")
    if record["j_job_id"] is None:
        nothing = JobRow(
            job_id=submission.job_id, progress_partition=NOT_YET, progress_offset=NOT_YET
        )
        return Job(submission, nothing)
    return Job(submission, JOBS.of_record(record, "j_"), record["missing_periods"])
