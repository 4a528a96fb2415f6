"""What a command changes of a job and its tasks, or why it is refused."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from candlelog.events.jobs import SteerJob
from candlelog.market.states import TERMINAL, Action, Refusal, Status, transition
from coordinator.domain.jobs import TO_PLAN, Job
from coordinator.domain.outcomes import TaskCounts, task_end

_DONE: Final = {
    Action.CANCEL: "cancelled",
    Action.PAUSE: "paused",
    Action.RESUME: "resumed",
    Action.RETRY: "retried",
    Action.DELETE: "deleted",
}


@dataclass(frozen=True, slots=True)
class Task:
    """A task as a command finds it. `planned`: whether what is left of its plan was kept."""

    task_id: UUID
    symbol: str
    status: Status
    planned: bool
    counts: TaskCounts

    @property
    def as_counted(self) -> bool:
        """Whether it ended as its counts say: of one that was given up more may have come since."""
        end = task_end(self.counts)
        return end is not None and transition(Status.RUNNING, end) is self.status


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and what follows: the next states of tasks, and of the job where it changes."""

    code: str
    reason: str
    job: Status | None = None
    tasks: Mapping[UUID, Status] = field(default_factory=dict[UUID, Status])

    @property
    def accepted(self) -> bool:
        """Whether the command is carried out, or was before."""
        return self.code == "accepted"

    @property
    def changes(self) -> bool:
        """Whether anything is to be done."""
        return self.job is not None or bool(self.tasks)


def decide(
    job: Job | None,
    tasks: Sequence[Task],
    command: SteerJob,
    *,
    closed: bool = False,
    unplanned: bool = False,
) -> Decision:
    """Decide a command on the state of the job; a refusal changes nothing.

    Of several things that are named each must allow the action; a symbol does if one of its tasks
    does. The last command that changed the job, with its correlation id, is answered again as the
    first time. `closed`: the job is a replay that was given up. `unplanned`: it has no tasks yet.
    """
    action = Action(command.action)
    if job is not None and job.steered_by == command.correlation_id:
        return Decision("accepted", f"it is {_DONE[action]}")
    if job is None or job.status is Status.DELETED:
        return Decision("unknown_job", f"there is no job '{command.job_id}'")
    if closed and action is Action.RETRY:
        return Decision("replay_closed", "the replay is closed: begin another")
    if action is Action.DELETE:
        return _of_the_job(job, command)
    if command.symbols or command.tasks:
        return _of_some(job, tasks, command, action, unplanned=unplanned)
    return _of_all(job, tasks, action, unplanned=unplanned)


def _of_the_job(job: Job, command: SteerJob) -> Decision:
    """Of a deletion: it is about the job as a whole, and its tasks go with it."""
    if command.symbols or command.tasks:
        return Decision("invalid_transition", "a job is deleted as a whole")
    after = transition(job.status, Action.DELETE)
    if isinstance(after, Refusal):
        return Decision("invalid_transition", after.reason)
    return _accepted(Action.DELETE, after, {})


def _of_all(job: Job, tasks: Sequence[Task], action: Action, *, unplanned: bool) -> Decision:
    able, reasons = _able(tasks, action)
    after = transition(job.status, action)
    if not isinstance(after, Refusal):
        if action is Action.RETRY and not able and not unplanned:
            reason = reasons[0] if reasons else "it was refused as a whole: submit another"
            return Decision("nothing_to_do", f"nothing of it can be retried: {reason}")
        return _accepted(action, after, able)
    if able and job.status not in TERMINAL and job.status is not Status.PAUSED:
        return _accepted(action, None, able)
    return Decision("invalid_transition", after.reason)


def _of_some(
    job: Job, tasks: Sequence[Task], command: SteerJob, action: Action, *, unplanned: bool
) -> Decision:
    if unplanned:
        first = "try again in a moment" if job.status in TO_PLAN else f"it is {job.status}"
        return Decision("invalid_transition", f"it is not planned yet: {first}")
    chosen: dict[UUID, Status] = {}
    for name, group in _named(tasks, command):
        if not group:
            return Decision("unknown_task", f"the job has no {name}")
        able, reasons = _able(group, action)
        if not able:
            return Decision("invalid_transition", f"{name}: {reasons[0]}")
        chosen |= able
    after = _with_some(job, action)
    if isinstance(after, Refusal):
        return Decision("invalid_transition", after.reason)
    return _accepted(action, after, chosen)


def _with_some(job: Job, action: Action) -> Status | Refusal | None:
    """The next state of the job when some of its tasks get one; None where it keeps its own."""
    match action:
        case Action.RETRY if job.status is Status.PAUSED:
            return Refusal("the job is paused: resume it first")
        case Action.RETRY if job.status in TERMINAL:
            return transition(job.status, action)
        case Action.RESUME if job.status is Status.PAUSED:
            return transition(job.status, action)
        case _:
            return None


def _named(tasks: Sequence[Task], command: SteerJob) -> Iterable[tuple[str, Sequence[Task]]]:
    by_id = {task.task_id: task for task in tasks}
    by_symbol: defaultdict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_symbol[task.symbol].append(task)
    for symbol in command.symbols:
        yield f"symbol {symbol}", by_symbol[symbol]
    for task_id in command.tasks:
        yield f"task {task_id}", [by_id[task_id]] if task_id in by_id else []


def _able(tasks: Iterable[Task], action: Action) -> tuple[dict[UUID, Status], list[str]]:
    """The next state of each task that has one, and why the others have none."""
    able: dict[UUID, Status] = {}
    reasons: list[str] = []
    for task in tasks:
        after = _after(task, action)
        if isinstance(after, Refusal):
            reasons.append(after.reason)
        else:
            able[task.task_id] = after
    return able, reasons


def _after(task: Task, action: Action) -> Status | Refusal:
    after = transition(task.status, action)
    if isinstance(after, Refusal) or action is not Action.RETRY:
        return after
    if task.as_counted and not task.counts.chunks_failed:
        return Refusal("every chunk was answered; what is missing are gaps: POST /gaps/fill")
    return after if task.planned else Refusal("its plan was not kept: submit it again")


def _accepted(action: Action, job: Status | None, tasks: Mapping[UUID, Status]) -> Decision:
    return Decision("accepted", f"it is {_DONE[action]}", job, tasks)
