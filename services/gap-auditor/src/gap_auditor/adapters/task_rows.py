"""Rows of jobs and tasks."""

from collections.abc import Collection, Mapping
from uuid import UUID

from candlelog.market.series import Series
from candlelog.stores.postgres import Connection
from gap_auditor.adapters import statements
from gap_auditor.domain.tasks import News, State, Task


async def note(connection: Connection, news: News) -> None:
    """Write what was said; of each state the newest stays."""
    planned = sorted(news.planned.values(), key=lambda task: task.task_id)
    if planned:
        await connection.execute(
            statements.INSERT_TASKS,
            [task.task_id for task in planned],
            [task.job_id for task in planned],
            [task.series.exchange for task in planned],
            [task.series.symbol for task in planned],
            [task.series.timeframe for task in planned],
            [task.start for task in planned],
            [task.end for task in planned],
        )
    await _note(connection, statements.NOTE_TASKS, news.tasks)
    await _note(connection, statements.NOTE_JOBS, news.jobs)


async def ended(connection: Connection, task_ids: Collection[UUID]) -> list[Task]:
    """Those of the tasks that are known and have ended."""
    if not task_ids:
        return []
    rows = await connection.fetch(statements.ENDED_TASKS, list(task_ids))
    return [
        Task(row["task_id"], row["job_id"], Series(*row[2:5]), row["start_time"], row["end_time"])
        for row in rows
    ]


async def lock_job(connection: Connection, job_id: UUID) -> bool:
    """Whether the job has ended; until the transaction ends, nobody is told that it has."""
    return bool(await connection.fetchval(statements.LOCK_JOB, job_id))


async def _note(connection: Connection, statement: str, states: Mapping[UUID, State]) -> None:
    if states:
        ids = sorted(states)
        said = [states[each] for each in ids]
        await connection.execute(
            statement, ids, [state.version for state in said], [state.ended for state in said]
        )
