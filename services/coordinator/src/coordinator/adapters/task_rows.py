"""Rows of tasks, and of the queues and ranges of chunks that they take."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from candlelog.market.states import Status
from candlelog.stores.postgres import Connection
from coordinator.adapters import statements
from coordinator.adapters.feature_rows import set_names, sets_named
from coordinator.adapters.file_rows import columns_of, file_in
from coordinator.domain.fairness import Queue
from coordinator.domain.folding import Change
from coordinator.domain.jobs import TaskMoved, moved
from coordinator.domain.outcomes import TaskCounts
from coordinator.domain.planning import TaskPlan
from coordinator.domain.queues import PlannedRange
from coordinator.domain.releasing import Stretch
from coordinator.domain.routes import Route
from coordinator.domain.steering import Task


@dataclass(frozen=True, slots=True)
class TaskKey:
    """Names a task."""

    job_id: UUID
    task_id: UUID


async def insert(connection: Connection, job_id: UUID, plans: Sequence[TaskPlan]) -> None:
    """Write the tasks of a new job, in order; those without a chunk are over at once."""
    await connection.copy_records_to_table(
        "tasks",
        columns=(
            "job_id", "task_id", "position", "symbol", "timeframe", "status", "version",
            "chunks_total", "slots_asked",
        ),
        records=[
            (
                job_id, plan.task_id, position, plan.series.symbol, plan.series.timeframe,
                *_begin(plan),
                plan.chunks_total, plan.slots_expected - plan.slots_covered,
            )
            for position, plan in enumerate(plans)
        ],
    )  # fmt: skip
    await connection.copy_records_to_table(
        "queues",
        columns=("job_id", "task_id", "route", "position", "piece_slots", "chunks_total"),
        records=[
            (job_id, plan.task_id, queue.route, position, queue.piece_slots, queue.chunks_total)
            for position, plan in enumerate(plans)
            for queue in plan.queues
        ],
    )
    await connection.copy_records_to_table(
        "ranges",
        columns=(
            "task_id", "route", "end_chunk", "first_chunk", "start_time", "end_time",
            "feature_sets", "build", "file_path", "file_version",
        ),
        records=[
            (
                plan.task_id, queue.route, part.end_chunk, part.first_chunk, part.start, part.end,
                set_names(part.feature_sets), part.build, *columns_of(part.file),
            )
            for plan in plans
            for queue in plan.queues
            for part in queue.ranges
        ],
    )  # fmt: skip


async def next_in_line(
    connection: Connection, shares: Mapping[UUID, int], route: Route
) -> dict[UUID, list[Queue]]:
    """For each job the tasks that have released the fewest chunks, at most as many as its share."""
    rows = await connection.fetch(statements.NEXT_TASKS, list(shares), list(shares.values()), route)
    found: dict[UUID, list[Queue]] = {job_id: [] for job_id in shares}
    for row in rows:
        found[row["job_id"]].append(Queue(*row))
    return found


async def take(
    connection: Connection, chunks: Mapping[TaskKey, int], route: Route
) -> list[Stretch]:
    """Move the cursors of these tasks on; the stretches they passed, in order of time."""
    rows = await connection.fetch(
        statements.ADVANCE_CURSORS, *_columns(chunks), list(chunks.values()), route
    )
    return [
        Stretch(
            job_id=row["job_id"],
            task_id=row["task_id"],
            symbol=row["symbol"],
            timeframe=row["timeframe"],
            route=route,
            piece_slots=row["piece_slots"],
            first=row["first"],
            end=row["cursor"],
            planned=PlannedRange(
                row["start_time"],
                row["end_time"],
                row["first_chunk"],
                row["end_chunk"],
                sets_named(row["feature_sets"]),
                row["build"],
                file_in(row),
            ),
        )
        for row in rows
    ]


async def queued(connection: Connection, tasks: Iterable[TaskKey]) -> list[TaskKey]:
    """Which of these tasks have not begun."""
    rows = await connection.fetch(statements.QUEUED_TASKS, *_columns(tasks))
    return [TaskKey(row["job_id"], row["task_id"]) for row in rows]


async def to_steer(connection: Connection, job_id: UUID) -> list[Task]:
    """The tasks of a job as a command finds them, in order."""
    rows = await connection.fetch(statements.TASKS_TO_STEER, job_id)
    return [
        Task(row[0], row[1], Status(row[2]), row[3], TaskCounts(*tuple(row)[4:])) for row in rows
    ]


async def stopped(connection: Connection, job_ids: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """The tasks of these jobs that are paused or cancelled."""
    found: dict[UUID, list[UUID]] = {job_id: [] for job_id in job_ids}
    for job_id, task_id in await connection.fetch(statements.STOPPED_TASKS, list(found)):
        found[job_id].append(task_id)
    return found


async def hold(connection: Connection, task_ids: Collection[UUID], *, held: bool) -> None:
    """Release nothing of these tasks while they are `held`."""
    await connection.execute(statements.HOLD_QUEUES, task_ids, held)


async def move(connection: Connection, states: Mapping[TaskKey, Status]) -> list[TaskMoved]:
    """Give tasks their next state; their versions rise by one."""
    rows = await connection.fetch(statements.MOVE_TASKS, *_columns(states), list(states.values()))
    return [TaskMoved(row[0], row[1], Status(row[2]), row[3]) for row in rows]


async def count_chunks(
    connection: Connection, changes: Mapping[TaskKey, Change]
) -> dict[TaskKey, tuple[Status, TaskCounts]]:
    """Add to the counts of tasks; state and counts of each with them."""
    rows = await connection.fetch(
        statements.COUNT_CHUNKS,
        *_columns(changes),
        [change.stored for change in changes.values()],
        [change.failed for change in changes.values()],
        [change.slots_explained for change in changes.values()],
        [change.quarantined for change in changes.values()],
    )
    return {TaskKey(row[0], row[1]): (Status(row[2]), TaskCounts(*tuple(row)[3:])) for row in rows}


async def forget_work(connection: Connection, tasks: Iterable[TaskKey]) -> None:
    """Drop the queues, ranges and chunks of tasks that are completed; their counts stay."""
    task_ids = [task.task_id for task in tasks]
    await connection.execute(statements.FORGET_QUEUES, task_ids)
    await connection.execute(statements.FORGET_RANGES, task_ids)
    await connection.execute(statements.FORGET_CHUNKS_OF_TASKS, task_ids)


async def forget_job(connection: Connection, job_id: UUID) -> None:
    """Drop the work and the tasks of a deleted job; its own row stays, so that nobody submits it
    again.

    What later jobs have to know stays too: chunks that features may still be awaited of, and their
    tasks. When more of them has arrived this is done again.
    """
    await connection.execute(statements.FORGET_CHUNKS_OF_JOB, job_id)
    await connection.execute(statements.FORGET_PLANS_OF_JOB, job_id)
    await connection.execute(statements.FORGET_TASKS_OF_JOB, job_id)


def _begin(plan: TaskPlan) -> tuple[Status, int]:
    """State and version of a task that was planned just now."""
    if plan.end_at_once is None:
        return Status.QUEUED, 0
    return moved(Status.QUEUED, plan.end_at_once), 1


def _columns(tasks: Iterable[TaskKey]) -> tuple[list[UUID], list[UUID]]:
    listed = list(tasks)
    return [task.job_id for task in listed], [task.task_id for task in listed]
