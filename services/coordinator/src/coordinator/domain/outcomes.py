"""When a task or a job is over, and how it ended."""

from dataclasses import dataclass

from candlelog.market.states import Action


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """What became of the chunks and slots of a task; `slots_asked` excludes covered ones.

    A chunk counts as stored when its features are too, where it has any; its slots count before.
    """

    chunks_total: int
    chunks_stored: int
    chunks_failed: int
    slots_asked: int
    slots_explained: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How the tasks of a job ended."""

    tasks_total: int
    tasks_completed: int
    tasks_with_errors: int
    tasks_failed: int
    tasks_cancelled: int


def task_end(counts: TaskCounts) -> Action | None:
    """How the task ends, or None while a chunk is open."""
    if counts.chunks_stored + counts.chunks_failed < counts.chunks_total:
        return None
    got = counts.slots_explained if counts.slots_asked else counts.chunks_stored
    if counts.chunks_failed and not got:
        return Action.FAIL
    unexplained = counts.slots_asked - counts.slots_explained
    if counts.chunks_failed or counts.quarantined or unexplained > 0:
        return Action.COMPLETE_WITH_ERRORS
    return Action.COMPLETE


def job_end(counts: JobCounts) -> Action | None:
    """How the job ends, or None while a task is open."""
    answered = counts.tasks_completed + counts.tasks_with_errors
    if answered + counts.tasks_failed + counts.tasks_cancelled < counts.tasks_total:
        return None
    if counts.tasks_cancelled == counts.tasks_total:
        return Action.CANCEL
    if not answered:
        return Action.FAIL
    if counts.tasks_completed < counts.tasks_total:
        return Action.COMPLETE_WITH_ERRORS
    return Action.COMPLETE
