"""A planned job is written and told of, or it is seen as failed."""

import asyncio
from collections import Counter
from datetime import datetime

from candlelog.events.jobs import ReplayFeaturesV1
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.types import Received
from candlelog.market.states import Action, Status
from candlelog.stores.transactions import Transaction, Transactions
from coordinator.adapters import job_rows, task_rows
from coordinator.adapters.job_rows import NewJob
from coordinator.domain import announcing
from coordinator.domain.jobs import Job, moved
from coordinator.domain.planning import TaskPlan
from coordinator.domain.routes import Route
from coordinator.domain.submission import NewJobCommand

_OLD = Skip("consumed before")
_KNOWN = Skip("there is a job with this id")
_ONE_ATTEMPT = 1
"""Of a replay: no venue is asked, and what cannot be computed once never can."""


async def accept(
    transaction: Transaction, command: NewJobCommand, plans: list[TaskPlan], now: datetime
) -> Outcome:
    """Write the job and its tasks, and say so; a job that is known already stays as it is."""
    job = _job(command, moved(Status.PENDING, Action.ACCEPT), version=1)
    if not await job_rows.insert(transaction.connection, _new_job(command, job.status, plans)):
        return _KNOWN
    await task_rows.insert(transaction.connection, job.job_id, plans)
    transaction.say(*await asyncio.to_thread(list, announcing.planned(job, plans, now)))
    if not any(plan.chunks_total for plan in plans):
        completed = moved(job.status, Action.COMPLETE)
        await job_rows.move(transaction.connection, job, completed)
        transaction.say(announcing.job_changed(job, completed, now))
    return Done()


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
            return Reject(reason) if refused else _OLD
        new = _new_job(command, Status.FAILED, [])
        if await job_rows.insert(transaction.connection, new):
            pending = _job(command, Status.PENDING, version=0)
            failed = moved(Status.PENDING, Action.FAIL)
            transaction.say(announcing.job_changed(pending, failed, now, reason))
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


def _new_job(command: NewJobCommand, status: Status, plans: list[TaskPlan]) -> NewJob:
    return NewJob(
        job_id=command.job_id,
        exchange=command.exchange,
        priority=command.priority,
        max_attempts=_attempts(command),
        status=status,
        version=1,
        tasks_total=len(plans),
        tasks_completed=sum(not plan.chunks_total for plan in plans),
        chunks=_chunks(plans),
        submitted_at=command.submitted_at,
    )


def _chunks(plans: list[TaskPlan]) -> dict[Route, int]:
    chunks = Counter[Route]()
    for plan in plans:
        chunks.update({queue.route: queue.chunks_total for queue in plan.queues})
    return chunks


def _attempts(command: NewJobCommand) -> int:
    return _ONE_ATTEMPT if isinstance(command, ReplayFeaturesV1) else command.max_attempts
