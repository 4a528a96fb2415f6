"""Tasks and jobs end once everything of them is through."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from candlelog.market.states import TERMINAL, Status
from candlelog.stores.transactions import Transaction
from coordinator.adapters import job_rows, task_rows
from coordinator.adapters.task_rows import TaskKey
from coordinator.domain import announcing
from coordinator.domain.folding import Change
from coordinator.domain.jobs import Job, moved
from coordinator.domain.outcomes import job_end, task_end


async def count(
    transaction: Transaction, changes: Mapping[TaskKey, Change], now: datetime
) -> set[UUID]:
    """Add to the counts of tasks, and end those that are through; the jobs of these.

    What arrives of a task that is over is counted, for a retry, and ends nothing. The caller holds
    the locks of the jobs.
    """
    connection = transaction.connection
    counted = await task_rows.count_chunks(connection, changes)
    states: dict[TaskKey, Status] = {}
    for task, (status, counts) in counted.items():
        action = None if status in TERMINAL else task_end(counts)
        if action is not None:
            states[task] = moved(status, action)
    for task in await task_rows.move(connection, states):
        transaction.say(announcing.task_changed(task, now))
    await task_rows.forget_work(
        connection, [task for task, status in states.items() if status is Status.COMPLETED]
    )
    by_job: defaultdict[UUID, Counter[Status]] = defaultdict(Counter)
    for task, status in states.items():
        by_job[task.job_id][status] += 1
    await job_rows.count_tasks(connection, by_job)
    return set(by_job)


async def end_jobs(transaction: Transaction, jobs: Iterable[Job], now: datetime) -> None:
    """End those of the jobs all of whose tasks are over."""
    connection = transaction.connection
    listed = {job.job_id: job for job in jobs if job.status not in TERMINAL}
    for job_id, counts in (await job_rows.counts(connection, listed)).items():
        job, action = listed[job_id], job_end(counts)
        if action is not None:
            status = moved(job.status, action)
            await job_rows.move(connection, job, status)
            await job_rows.forget_claims(connection, [job_id])
            transaction.say(announcing.job_changed(job, status, now))
