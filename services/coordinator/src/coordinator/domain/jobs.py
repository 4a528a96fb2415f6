"""A job as the coordinator keeps it, and what may be done to it."""

from dataclasses import dataclass
from uuid import UUID

from candlelog.market.states import Action, Refusal, Status, transition


@dataclass(frozen=True, slots=True)
class Job:
    """State of a job. `version` rises with each state, `generation` fences the work of workers."""

    job_id: UUID
    exchange: str
    status: Status
    version: int
    generation: int
    max_attempts: int
    cancelled_by: UUID | None


@dataclass(frozen=True, slots=True)
class TaskMoved:
    """A task has got a new state; `version` counts them."""

    job_id: UUID
    task_id: UUID
    status: Status
    version: int


def cancel(job: Job | None, correlation_id: UUID) -> tuple[str, str]:
    """Code and reason of the answer to a cancel command.

    A command that comes again, with the same correlation id, is answered as the first time.
    """
    if job is None:
        return "unknown_job", "there is no such job"
    if job.cancelled_by == correlation_id:
        return "accepted", "the job is cancelled"
    match transition(job.status, Action.CANCEL):
        case Refusal(reason):
            return "invalid_transition", reason
        case _:
            return "accepted", "the job is cancelled"


def moved(status: Status, action: Action) -> Status:
    """The state after an action that the coordinator itself knows to be possible."""
    after = transition(status, action)
    if isinstance(after, Refusal):
        raise AssertionError(after.reason)
    return after
