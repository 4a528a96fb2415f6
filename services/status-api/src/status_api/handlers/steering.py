"""`/jobs/{id}/cancel|pause|resume|retry`, `/jobs/actions`, and jobs that are deleted."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from candlelog.errors import Unavailable
from candlelog.events.jobs import (
    CancelJobV1,
    DeleteJobV1,
    PauseJobV1,
    ResumeJobV1,
    RetryJobV1,
    SteerAction,
    SteerJob,
)
from status_api.adapters.jobs import Decision, Job
from status_api.domain.problems import Problem, invalid
from status_api.domain.submission import Name, once
from status_api.domain.tokens import Token
from status_api.domain.views import JobView
from status_api.handlers.answers import json_response
from status_api.handlers.candle_replays import is_candle_replay
from status_api.handlers.context import Context, Ctx, Who
from status_api.handlers.own_path import OwnPath
from status_api.handlers.parameters import JobId
from status_api.handlers.submitting import (
    accepted,
    decided,
    decision_about,
    job_of,
    publish,
    view,
)

_WAIT_SECONDS: Final = 5.0
_COMMANDS: Final[dict[SteerAction, type[SteerJob]]] = {
    "cancel": CancelJobV1,
    "pause": PauseJobV1,
    "resume": ResumeJobV1,
    "retry": RetryJobV1,
    "delete": DeleteJobV1,
}
PartialAction = Literal["cancel", "pause", "resume", "retry"]
"""What can be done to some tasks of a job alone."""

many = APIRouter(prefix="/jobs", tags=["jobs"], route_class=OwnPath)
router = APIRouter(prefix="/jobs", tags=["jobs"])


class SteerRequest(BaseModel):
    """Which tasks are meant: those of the symbols and those named; left out, the whole job."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    symbols: Annotated[list[Name], Field(min_length=1, max_length=1000)] | None = None
    tasks: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None


class ActionsRequest(BaseModel):
    """One action for many jobs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    action: SteerAction
    jobs: Annotated[list[str], Field(min_length=1, max_length=100)]


class ActionResult(BaseModel):
    """What became of the action for one job."""

    job_id: str
    accepted: bool
    code: str = Field(description="`accepted`, or why not, as the single call has it")
    reason: str


class ActionResults(BaseModel):
    """One for each job that was named, in that order."""

    results: list[ActionResult]


@many.post(
    "/actions", status_code=200, responses={200: {"model": ActionResults}}, response_model=None
)
async def steer_many(ctx: Ctx, who: Who, request: ActionsRequest) -> Response:
    """Do the same to many jobs; each is decided by itself."""
    names = once(request.jobs)
    results = await asyncio.gather(*(_result(ctx, who, request.action, name) for name in names))
    return json_response(ActionResults(results=list(results)))


@router.post(
    "/{job_id}/{action}", status_code=202, responses={202: {"model": JobView}}, response_model=None
)
async def steer_job(
    ctx: Ctx, who: Who, *, job_id: JobId, action: PartialAction, request: SteerRequest | None = None
) -> Response:
    """Stop a job, or have it go on; decided on the coordinator's state.

    `cancel` stops what is not over, `pause` until `resume`; `retry` asks again for what failed and
    goes on with what was cancelled.
    """
    job = await _steerable(ctx, job_id, action)
    wanted = request or SteerRequest()
    command = _command(ctx, who, action, job, wanted)
    await decided(ctx, command, _WAIT_SECONDS)
    return await accepted(ctx, await job_of(ctx, job_id))


@router.delete(
    "/{job_id}", status_code=202, responses={202: {"model": JobView}}, response_model=None
)
async def delete_job(ctx: Ctx, who: Who, job_id: JobId) -> Response:
    """Forget a job that is over; what it stored stays. The answer is the job as it was last."""
    job = await _steerable(ctx, job_id, "delete")
    last = await view(ctx, job)
    await decided(ctx, _command(ctx, who, "delete", job, SteerRequest()), _WAIT_SECONDS)
    return json_response(last.model_copy(update={"status": "deleted"}), status=202)


async def _result(ctx: Context, who: Token, action: SteerAction, name: str) -> ActionResult:
    try:
        job = await _steerable(ctx, name, action)
        command = _command(ctx, who, action, job, SteerRequest())
        await publish(ctx, command)
        decision = await decision_about(ctx, command, _WAIT_SECONDS)
    except Problem as problem:
        decision = Decision(accepted=False, code=problem.code, reason=problem.detail)
    except Unavailable as outage:  # of one; what became of the others is to be told all the same
        decision = Decision(accepted=False, code="store_unavailable", reason=str(outage))
    return ActionResult(
        job_id=name[:64],
        accepted=decision.accepted,
        code=decision.code,
        reason=decision.reason,
    )


async def _steerable(ctx: Context, job_id: str, action: SteerAction) -> Job:
    job = await job_of(ctx, job_id)
    if action == "delete" and job.submission.kind == "replay":
        reason = "a replay is kept: what is served is switched by it"
        raise Problem(409, "replay_kept", reason)
    if is_candle_replay(job):
        _, shadow = await ctx.jobs.candle_replay(job.submission.job_id)
        if shadow.closed:
            raise Problem(409, "replay_closed", "the replay is closed: begin another")
        path = f"/replays/{job.submission.job_id}/close"
        raise Problem(409, "to_be_closed", f"a replay of candles is given up by POST {path}")
    return job


def _command(  # noqa: PLR0917 - who does what to what
    ctx: Context, who: Token, action: SteerAction, job: Job, request: SteerRequest
) -> SteerJob:
    return _COMMANDS[action](
        job_id=job.submission.job_id,
        correlation_id=ctx.new_id(),
        symbols=once(request.symbols or ()),
        tasks=_task_ids(request.tasks or ()),
        requested_by=who.name,
        requested_at=ctx.clock.now(),
    )


def _task_ids(names: Sequence[str]) -> tuple[UUID, ...]:
    try:
        return tuple(dict.fromkeys(UUID(name) for name in names))
    except ValueError:
        raise invalid("tasks", "unknown_task", "tasks: each must be the id of a task") from None
