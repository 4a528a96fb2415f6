"""The state machine of jobs and tasks: pure, and the only place that says what may follow what."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """State of a job or a task."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


class Action(StrEnum):
    """What happens to a job or a task."""

    ACCEPT = "accept"
    START = "start"
    COMPLETE = "complete"
    COMPLETE_WITH_ERRORS = "complete_with_errors"
    FAIL = "fail"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an action is not possible, in words for the user."""

    reason: str


_ENDED: Final = frozenset(
    {Status.COMPLETED, Status.COMPLETED_WITH_ERRORS, Status.FAILED, Status.CANCELLED}
)
TERMINAL: Final = _ENDED | {Status.DELETED}
_ACTIVE: Final = frozenset({Status.PENDING, Status.QUEUED, Status.RUNNING})
_PLANNED: Final = frozenset({Status.QUEUED, Status.RUNNING, Status.PAUSED})
"""What is on its way when a job is paused still arrives, and may be the last of it."""

_ALLOWED: Final[dict[Action, tuple[frozenset[Status], Status]]] = {
    Action.ACCEPT: (frozenset({Status.PENDING}), Status.QUEUED),
    Action.START: (frozenset({Status.QUEUED}), Status.RUNNING),
    Action.COMPLETE: (_PLANNED, Status.COMPLETED),
    Action.COMPLETE_WITH_ERRORS: (_PLANNED, Status.COMPLETED_WITH_ERRORS),
    Action.FAIL: (_PLANNED | {Status.PENDING}, Status.FAILED),
    Action.PAUSE: (_ACTIVE, Status.PAUSED),
    Action.RESUME: (frozenset({Status.PAUSED}), Status.QUEUED),
    Action.CANCEL: (_PLANNED | {Status.PENDING}, Status.CANCELLED),
    Action.RETRY: (
        frozenset({Status.FAILED, Status.COMPLETED_WITH_ERRORS, Status.CANCELLED}),
        Status.QUEUED,
    ),
    Action.DELETE: (_ENDED, Status.DELETED),
}


def transition(state: Status, action: Action) -> Status | Refusal:
    """The state that follows, or the reason why there is none."""
    sources, target = _ALLOWED[action]
    if state in sources:
        return target
    wanted = " or ".join(sorted(sources))
    return Refusal(f"cannot {action.replace('_', ' ')} what is {state}; it must be {wanted}")
