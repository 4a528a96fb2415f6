"""A job as the coordinator keeps it, and what may be done to it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from candlelog.market.states import Action, Refusal, Status, transition

TO_PLAN: Final = frozenset({Status.PENDING, Status.QUEUED})
"""States in which a job without tasks gets them; one that was stopped before waits."""


@dataclass(frozen=True, slots=True)
class Job:
    """State of a job. `version` rises with each state, `generation` fences the work of workers;
    `steered_by` is the correlation id of the last command that changed it."""

    job_id: UUID
    exchange: str
    status: Status
    version: int
    generation: int
    max_attempts: int
    steered_by: UUID | None


@dataclass(frozen=True, slots=True)
class TaskMoved:
    """A task has got a new state; `version` counts them."""

    job_id: UUID
    task_id: UUID
    status: Status
    version: int


def moved(status: Status, action: Action) -> Status:
    """The state after an action that the coordinator itself knows to be possible."""
    after = transition(status, action)
    if isinstance(after, Refusal):
        raise AssertionError(after.reason)
    return after
