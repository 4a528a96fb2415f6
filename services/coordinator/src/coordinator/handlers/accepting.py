"""A job is taken, and when it is planned it is written and told of; or it is seen as failed."""

import asyncio
from collections import Counter
from datetime import datetime
from typing import Final
from uuid import UUID

from candlelog.events.jobs import ReplayFeaturesV1
from candlelog.log.outcome import CONSUMED, Outcome, Reject, Skip
from candlelog.log.types import Received
from candlelog.market.states import Action, Status
from candlelog.stores.transactions import Transaction, Transactions
from coordinator.adapters import job_rows, submission_rows, task_rows
from coordinator.adapters.job_rows import NewJob
from coordinator.domain import announcing
from coordinator.domain.jobs import TO_PLAN, Job, moved
from coordinator.domain.outcomes import JobCounts, job_end
from coordinator.domain.planning import TaskPlan
from coordinator.domain.routes import Route
from coordinator.domain.submission import NewJobCommand

KNOWN: Final = Skip("there is a job with this id")
_ONE_ATTEMPT = 1
"""Of a replay: no venue is asked, and what cannot be computed once never can."""


async def take(transaction: Transaction, command: NewJobCommand, *, tasks: int) -> Job | None:
    """Write a job that is still to be planned; None where there is one with its id."""
    job = _job(command, Status.PENDING, version=0)
    taken = await job_rows.insert(transaction.connection, _new_job(command, job, tasks=tasks))
    return job if taken else None


async def to_plan(transaction: Transaction, job_id: UUID) -> Job | None:
    """The job, locked, which this transaction plans; None where it was paused or cancelled while
    the stores were read, or planned by another coordinator."""
    connection = transaction.connection
    job = (await job_rows.lock(connection, [job_id]))[job_id]
    if job.status not in TO_PLAN or not await submission_rows.forget(connection, job_id):
        return None
    return job


async def queue(transaction: Transaction, job: Job, plans: list[TaskPlan], now: datetime) -> None:
    """Write the tasks of a locked job that was planned: it is queued. Say so."""
    connection = transaction.connection
    counts = _counts(plans)
    await job_rows.plan(connection, job, _chunks(plans), counts=counts)
    await task_rows.insert(connection, job.job_id, plans)
    if job.status is Status.PENDING:
        job = await job_rows.move(connection, job, moved(job.status, Action.ACCEPT))
    transaction.say(*await asyncio.to_thread(list, announcing.planned(job, plans, now)))
    end = job_end(counts)
    if end is not None:
        done = await job_rows.move(connection, job, moved(job.status, end))
        transaction.say(announcing.job_changed(job, done.status, now))


async def fail(
    transactions: Transactions, command: NewJobCommand, *, reason: str, now: datetime
) -> None:
    """Let a job fail that was taken and cannot be planned, ever. Raises `Unavailable`."""
    async with transactions.begin() as transaction:
        job = await to_plan(transaction, command.job_id)
        if job is not None:
            failed = await job_rows.move(
                transaction.connection, job, moved(job.status, Action.FAIL)
            )
            transaction.say(announcing.job_changed(job, failed.status, now, reason))


async def refuse(
    transactions: Transactions,
    received: Received,
    command: NewJobCommand,
    *,
    reason: str,
    now: datetime,
) -> Outcome:
    """Let the job be seen as failed. A repeated command finds it so. Raises `Unavailable`."""
    async with transactions.begin() as transaction:
        if not all(await transaction.fresh([received])):
            # Whoever refused it may have ended before its dead letter was written.
            refused = await job_rows.was_refused(transaction.connection, command.job_id)
            return Reject(reason) if refused else CONSUMED
        failed = _job(command, moved(Status.PENDING, Action.FAIL), version=1)
        if await job_rows.insert(transaction.connection, _new_job(command, failed, tasks=0)):
            pending = _job(command, Status.PENDING, version=0)
            transaction.say(announcing.job_changed(pending, failed.status, now, reason))
    return Reject(reason)


def _job(command: NewJobCommand, status: Status, *, version: int) -> Job:
    return Job(
        job_id=command.job_id,
        exchange=command.exchange,
        status=status,
        version=version,
        generation=0,
        max_attempts=_attempts(command),
        steered_by=None,
    )


def _new_job(command: NewJobCommand, job: Job, *, tasks: int) -> NewJob:
    return NewJob(
        job_id=job.job_id,
        exchange=job.exchange,
        priority=command.priority,
        max_attempts=job.max_attempts,
        status=job.status,
        version=job.version,
        tasks_total=tasks,
        submitted_at=command.submitted_at,
    )


def _chunks(plans: list[TaskPlan]) -> dict[Route, int]:
    chunks = Counter[Route]()
    for plan in plans:
        chunks.update({queue.route: queue.chunks_total for queue in plan.queues})
    return chunks


def _counts(plans: list[TaskPlan]) -> JobCounts:
    ends = Counter(plan.end_at_once for plan in plans)
    return JobCounts(len(plans), ends[Action.COMPLETE], ends[Action.COMPLETE_WITH_ERRORS], 0, 0)


def _attempts(command: NewJobCommand) -> int:
    return _ONE_ATTEMPT if isinstance(command, ReplayFeaturesV1) else command.max_attempts
