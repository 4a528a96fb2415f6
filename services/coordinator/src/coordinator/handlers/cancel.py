"""A job is stopped for good, or the command is refused with the reason."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from candlelog.events.jobs import CancelJobV1
from candlelog.events.progress import CommandAnsweredV1
from candlelog.market.states import Action, Status
from candlelog.stores.transactions import Transaction
from coordinator.adapters import job_rows, task_rows
from coordinator.domain import announcing
from coordinator.domain.jobs import Job, cancel, moved


async def cancel_job(transaction: Transaction, command: CancelJobV1, now: datetime) -> None:
    """Decide a cancel command on the state of the job, and answer it.

    The answer goes out before the news of the tasks: somebody waits for it, and they may be many.
    """
    jobs = await job_rows.lock(transaction.connection, [command.job_id])
    job = jobs.get(command.job_id)
    code, reason = cancel(job, command.correlation_id)
    stopping = code == "accepted" and job is not None and job.status is not Status.CANCELLED
    if stopping:
        assert job is not None
        await _stop_job(transaction, job, command, now)
    transaction.say(
        CommandAnsweredV1(
            job_id=command.job_id,
            correlation_id=command.correlation_id,
            command="cancel",
            accepted=code == "accepted",
            code=code,
            reason=reason,
            answered_at=now,
        )
    )
    if stopping:
        await _stop_tasks(transaction, command.job_id, now)


async def _stop_job(
    transaction: Transaction, job: Job, command: CancelJobV1, now: datetime
) -> None:
    connection = transaction.connection
    await job_rows.cancel(connection, job, command.correlation_id)
    fenced = replace(job, generation=job.generation + 1)
    status = moved(job.status, Action.CANCEL)
    await job_rows.move(connection, job, status)
    transaction.say(announcing.control(replace(fenced, status=status)))
    transaction.say(announcing.job_changed(fenced, status, now))


async def _stop_tasks(transaction: Transaction, job_id: UUID, now: datetime) -> None:
    connection = transaction.connection
    open_tasks = await task_rows.unfinished(connection, job_id)
    stopped = {task: moved(state, Action.CANCEL) for task, state in open_tasks.items()}
    for task in await task_rows.move(connection, stopped):
        transaction.say(announcing.task_changed(task, now))
    await task_rows.forget_work(connection, stopped)
