"""The events that say what was decided."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from candlelog.events.event import Event
from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.events.jobs import JobControlV1, SwitchReplayV1
from candlelog.events.progress import (
    MISSING_NAMED,
    JobAcceptedV1,
    JobStateChangedV1,
    PlanAnsweredV1,
    PlanTaskAnsweredV1,
    ReplayAnsweredV1,
    ReplayPlannedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)
from candlelog.events.replay import BuildsChangedV1, BuildState, BuildStateName
from candlelog.market.series import Series
from candlelog.market.states import Status
from coordinator.domain.jobs import Job, TaskMoved, moved
from coordinator.domain.planning import Rebuild, TaskPlan
from coordinator.domain.routes import Route
from coordinator.domain.switching import Reopened, Standing

States = Mapping[BuildStateName, Sequence[FeatureBuildRef]]
ControlState = Literal["running", "paused", "cancelled"]
_CONTROLS: dict[Status, ControlState] = {
    Status.PAUSED: "paused",
    Status.CANCELLED: "cancelled",
    Status.DELETED: "cancelled",
}


def answered(
    command: SwitchReplayV1, refused: tuple[str, str] | None, at: datetime
) -> ReplayAnsweredV1:
    """What was decided about a replay: `refused` with code and reason, or done."""
    code, reason = refused or ("accepted", "")
    return ReplayAnsweredV1(
        job_id=command.job_id,
        correlation_id=command.correlation_id,
        action=command.action,
        accepted=refused is None,
        code=code,
        reason=reason,
        answered_at=at,
    )


def control(job: Job, stopped: Iterable[UUID] = ()) -> JobControlV1:
    """What workers may do for a job, of whose tasks these are paused or cancelled."""
    state = _CONTROLS.get(job.status, "running")
    return JobControlV1(
        job_id=job.job_id,
        generation=job.generation,
        state=state,
        stopped=tuple(stopped) if state == "running" else (),
    )


def job_changed(job: Job, status: Status, now: datetime, reason: str | None = None) -> Event:
    """The event of a job's next state; `job` is as it was before."""
    return JobStateChangedV1(
        job_id=job.job_id,
        version=job.version + 1,
        generation=job.generation,
        state=status.value,
        reason=reason,
        changed_at=now,
    )


def planned(job: Job, plans: Sequence[TaskPlan], now: datetime) -> Iterator[Event]:
    """Everything there is to say of a job that was planned just now and is queued.

    A task without a chunk is over at once.
    """
    yield control(job)
    for plan in plans:
        yield _planned(job.job_id, plan, now)
    yield JobAcceptedV1(
        job_id=job.job_id,
        tasks_total=len(plans),
        chunks_total=sum(plan.chunks_total for plan in plans),
        slots_expected=sum(plan.slots_expected for plan in plans),
        slots_covered=sum(plan.slots_covered for plan in plans),
        accepted_at=now,
    )
    yield JobStateChangedV1(
        job_id=job.job_id,
        version=job.version,
        generation=job.generation,
        state=job.status.value,
        changed_at=now,
    )
    for plan in plans:
        if plan.end_at_once is not None:
            ended = moved(Status.QUEUED, plan.end_at_once)
            yield task_changed(TaskMoved(job.job_id, plan.task_id, ended, 1), now)


def answers(
    plan_id: UUID, plans: Sequence[TaskPlan], *, weight: float, now: datetime
) -> Iterator[Event]:
    """What a job would do, and what that costs where a request weighs so much."""
    requests = pieces = 0
    for plan in plans:
        answer = _answer(plan_id, plan)
        requests += answer.requests
        pieces += answer.pieces
        yield answer
    yield PlanAnsweredV1(
        job_id=plan_id,
        series=len(plans),
        slots_expected=sum(plan.slots_expected for plan in plans),
        slots_covered=sum(plan.slots_covered for plan in plans),
        requests=requests,
        pieces=pieces,
        weight=weight * requests,
        answered_at=now,
    )


def _answer(plan_id: UUID, plan: TaskPlan) -> PlanTaskAnsweredV1:
    chunks = Counter({queue.route: queue.chunks_total for queue in plan.queues})
    return PlanTaskAnsweredV1(
        job_id=plan_id,
        symbol=plan.series.symbol,
        timeframe=plan.series.timeframe,
        route=plan.route,
        route_reason=plan.route_reason,
        files=plan.files,
        missing_files=plan.missing_files[:MISSING_NAMED],
        missing_files_total=len(plan.missing_files),
        start=plan.start,
        end=plan.end,
        slots_expected=plan.slots_expected,
        slots_covered=plan.slots_covered,
        requests=chunks[Route.REST],
        pieces=chunks[Route.FEATURES],
    )


def task_changed(task: TaskMoved, now: datetime) -> Event:
    """The event of a task's state."""
    return TaskStateChangedV1(
        job_id=task.job_id,
        task_id=task.task_id,
        version=task.version,
        state=task.status.value,
        changed_at=now,
    )


def served(standing: Standing, build: FeatureBuildRef) -> Event:
    """The event that has a build served, and kept up beside it what was served before."""
    return _decided(standing, {"serving": [build], "beside": [standing.served]})


def closed(standing: Standing, builds: Sequence[FeatureBuildRef]) -> Event:
    """The event that has builds given up."""
    return _decided(standing, {"closed": builds})


def reopened(again: Reopened) -> Event:
    """The event that has builds kept up again that were given up."""
    states: States = {"beside": again.builds}
    return _changed(again.series, again.feature_set, again.number, states)


def _decided(standing: Standing, states: States) -> Event:
    name, number = standing.rebuild.feature_set, standing.number + 1
    return _changed(standing.series, name, number, states)


def _changed(series: Series, feature_set: str, number: int, states: States) -> Event:
    return BuildsChangedV1(
        exchange=series.exchange,
        symbol=series.symbol,
        timeframe=series.timeframe,
        feature_set=feature_set,
        number=number,
        builds=tuple(
            BuildState(version=each.version, build=each.build, state=state)
            for state, builds in states.items()
            for each in builds
        ),
    )


def _planned(job_id: UUID, plan: TaskPlan, now: datetime) -> Event:
    if plan.rebuild is None:
        return _task_planned(job_id, plan, now)
    return _replay_planned(job_id, plan, plan.rebuild, now)


def _replay_planned(job_id: UUID, plan: TaskPlan, rebuild: Rebuild, now: datetime) -> Event:
    return ReplayPlannedV1(
        job_id=job_id,
        task_id=plan.task_id,
        exchange=plan.series.exchange,
        symbol=plan.series.symbol,
        timeframe=plan.series.timeframe,
        start=plan.start,
        end=plan.end,
        feature_set=rebuild.feature_set,
        new=rebuild.new,
        old=rebuild.old,
        chunks_total=plan.chunks_total,
        planned_at=now,
    )


def _task_planned(job_id: UUID, plan: TaskPlan, now: datetime) -> Event:
    return TaskPlannedV1(
        job_id=job_id,
        task_id=plan.task_id,
        exchange=plan.series.exchange,
        symbol=plan.series.symbol,
        timeframe=plan.series.timeframe,
        start=plan.start,
        end=plan.end,
        route=plan.route,
        features=bool(plan.feature_sets),
        route_reason=plan.route_reason,
        files=plan.files,
        missing_files=plan.missing_files[:MISSING_NAMED],
        missing_files_total=len(plan.missing_files),
        chunks_total=plan.chunks_total,
        slots_expected=plan.slots_expected,
        slots_covered=plan.slots_covered,
        planned_at=now,
    )
