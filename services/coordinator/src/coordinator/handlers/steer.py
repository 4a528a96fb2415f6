"""A job, or some of its tasks, are stopped or go on; or the command is refused with the reason."""

from collections import Counter
from dataclasses import replace
from datetime import datetime

from candlelog.events.jobs import SteerJob
from candlelog.events.progress import CommandAnsweredV1
from candlelog.market.states import Status
from candlelog.stores.transactions import Transaction
from coordinator.adapters import chunk_rows, job_rows, task_rows
from coordinator.adapters.task_rows import TaskKey
from coordinator.domain import announcing
from coordinator.domain.folding import Change
from coordinator.domain.jobs import Job
from coordinator.domain.steering import Decision, Task, decide
from coordinator.handlers import ending


async def steer(transaction: Transaction, command: SteerJob, now: datetime) -> None:
    """Decide a command on the state of the job, and answer it.

    The answer goes out before the news of the tasks: somebody waits for it, and they may be many.
    """
    connection = transaction.connection
    job = (await job_rows.lock(connection, [command.job_id])).get(command.job_id)
    tasks = await task_rows.to_steer(connection, command.job_id)
    decision = decide(job, tasks, command)
    changes = decision.job is not None or bool(decision.tasks)
    if job is not None and changes:
        job = await _change_job(transaction, job, decision, command=command, now=now)
        await _change_tasks(transaction, job, tasks, decision=decision, now=now)
    transaction.say(_answer(command, decision, now))
    if job is not None and changes:
        await _tell_tasks(transaction, job, tasks, decision=decision, now=now)


async def _change_job(
    transaction: Transaction, job: Job, decision: Decision, *, command: SteerJob, now: datetime
) -> Job:
    """The job after the command; a new state of it fences what was given out before."""
    connection = transaction.connection
    fenced = decision.job is not None
    await job_rows.steer(connection, job, command.correlation_id, fenced=fenced)
    if decision.job is None:
        return job
    job = replace(job, generation=job.generation + 1)
    await job_rows.move(connection, job, decision.job)
    transaction.say(announcing.job_changed(job, decision.job, now))
    return replace(job, status=decision.job, version=job.version + 1)


async def _change_tasks(
    transaction: Transaction,
    job: Job,
    tasks: list[Task],
    *,
    decision: Decision,
    now: datetime,
) -> None:
    """Hold the work of tasks that stop, have that of the others go on, and say so to workers."""
    connection = transaction.connection
    stopped = [task for task, status in decision.tasks.items() if status is not Status.QUEUED]
    going_on = [task for task, status in decision.tasks.items() if status is Status.QUEUED]
    if stopped:
        await task_rows.hold(connection, stopped)
        await chunk_rows.hold(connection, stopped)
    if going_on:
        await task_rows.go_on(connection, going_on)
        await chunk_rows.go_on(connection, going_on, generation=job.generation, now=now)
    await job_rows.count_claims(connection, job.job_id)
    still = {task.task_id: decision.tasks.get(task.task_id, task.status) for task in tasks}
    held = [task for task, status in still.items() if status in {Status.PAUSED, Status.CANCELLED}]
    transaction.say(announcing.control(job, held))


async def _tell_tasks(
    transaction: Transaction,
    job: Job,
    tasks: list[Task],
    *,
    decision: Decision,
    now: datetime,
) -> None:
    """Move the tasks; those of which everything has arrived meanwhile end, and so may the job."""
    connection = transaction.connection
    before = {task.task_id: task for task in tasks}
    states = {TaskKey(job.job_id, task): status for task, status in decision.tasks.items()}
    for moved in await task_rows.move(connection, states):
        transaction.say(announcing.task_changed(moved, now))
    ended: Counter[Status] = Counter()
    for task, status in decision.tasks.items():
        ended[status] += 1
        ended[before[task].status] -= 1
    await job_rows.count_tasks(connection, {job.job_id: ended})
    retried = {
        TaskKey(job.job_id, task): Change(failed=-before[task].chunks_failed)
        for task, status in decision.tasks.items()
        if status is Status.QUEUED
    }
    await ending.count(transaction, retried, now)
    await ending.end_jobs(transaction, [job], now)


def _answer(command: SteerJob, decision: Decision, now: datetime) -> CommandAnsweredV1:
    return CommandAnsweredV1(
        job_id=command.job_id,
        correlation_id=command.correlation_id,
        command=command.action,
        accepted=decision.accepted,
        code=decision.code,
        reason=decision.reason,
        answered_at=now,
    )
