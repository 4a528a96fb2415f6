"""A job, or some of its tasks, are stopped or go on; or the command is refused with the reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from candlelog.events.jobs import SteerJob
from candlelog.events.progress import CommandAnsweredV1
from candlelog.market.states import TERMINAL, Status
from candlelog.stores.postgres import Connection
from candlelog.stores.transactions import Transaction
from coordinator.adapters import chunk_rows, job_rows, replay_rows, submission_rows, task_rows
from coordinator.adapters.task_rows import TaskKey
from coordinator.domain import announcing
from coordinator.domain.folding import Change
from coordinator.domain.jobs import Job
from coordinator.domain.steering import Decision, Task, decide
from coordinator.handlers import ending


async def steer(transaction: Transaction, command: SteerJob, now: datetime) -> None:
    """Decide a command on the state of the job, and answer it.

    The answer comes behind its effect: of a whole job before the news of its tasks, which may be
    many; of some tasks behind it.
    """
    connection = transaction.connection
    job = (await job_rows.lock(connection, [command.job_id])).get(command.job_id)
    tasks = await task_rows.to_steer(connection, command.job_id)
    closed = await replay_rows.closed(connection, command.job_id)
    unplanned = not tasks and await submission_rows.of_job(connection, command.job_id) is not None
    decision = decide(job, tasks, command, closed=closed, unplanned=unplanned)
    if job is None or not decision.changes:
        transaction.say(_answer(command, decision, now))
        return
    await job_rows.note_command(connection, job, command.correlation_id)
    if decision.job is not None:
        job = await _move_job(transaction, job, decision.job, now)
    if job.status is Status.DELETED:
        await submission_rows.forget(connection, job.job_id)
        await task_rows.forget_job(connection, job.job_id)
        await job_rows.forget_claims(connection, [job.job_id])
    else:
        await _change_work(connection, job, decision.tasks)
    moved = await task_rows.move(
        connection, {TaskKey(job.job_id, task): status for task, status in decision.tasks.items()}
    )
    stopped = await task_rows.stopped(connection, [job.job_id])
    transaction.say(announcing.control(job, stopped[job.job_id]))
    if decision.job is not None:
        transaction.say(_answer(command, decision, now))
    transaction.say(*(announcing.task_changed(task, now) for task in moved))
    await _count(transaction, job, tasks, decision.tasks, now=now)
    if decision.job is None:
        transaction.say(_answer(command, decision, now))


async def _move_job(transaction: Transaction, job: Job, status: Status, now: datetime) -> Job:
    """The job in its next state, and a generation that fences what was given out before."""
    job = replace(job, generation=job.generation + 1)
    await job_rows.fence(transaction.connection, job)
    transaction.say(announcing.job_changed(job, status, now))
    return await job_rows.move(transaction.connection, job, status)


async def _change_work(connection: Connection, job: Job, states: Mapping[UUID, Status]) -> None:
    """Hold the work of tasks that stop, and have that of the others go on."""
    going_on = [task for task, status in states.items() if status is Status.QUEUED]
    stopping = [task for task, status in states.items() if status is not Status.QUEUED]
    await task_rows.hold(connection, stopping, held=True)
    await chunk_rows.hold(connection, stopping)
    await task_rows.hold(connection, going_on, held=False)
    await chunk_rows.go_on(connection, going_on, generation=job.generation)
    if job.status in TERMINAL:
        await job_rows.forget_claims(connection, [job.job_id])
    else:
        await job_rows.count_claims(connection, job.job_id)


async def _count(
    transaction: Transaction,
    job: Job,
    tasks: Sequence[Task],
    states: Mapping[UUID, Status],
    *,
    now: datetime,
) -> None:
    """Count what tasks became; those of which everything has arrived end, and so may the job."""
    before = {task.task_id: task for task in tasks}
    ended = Counter(states.values())
    ended.subtract(before[task].status for task in states)
    await job_rows.count_tasks(transaction.connection, {job.job_id: ended})
    retried = {
        TaskKey(job.job_id, task): Change(failed=-before[task].counts.chunks_failed)
        for task, status in states.items()
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
