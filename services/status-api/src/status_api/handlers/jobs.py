"""`/jobs`: submit, list, read, cancel."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from candlelog.events.jobs import CancelJobV1, JobKind
from candlelog.events.progress import JobStatus
from status_api.adapters.jobs import Job, JobFilter
from status_api.domain.cursors import JobKey, decode_numbers, encode_numbers
from status_api.domain.figures import job_view, task_view
from status_api.domain.moments import parse_time
from status_api.domain.problems import Problem, invalid
from status_api.domain.submission import JobRequest, check, check_symbols, command
from status_api.domain.views import JobPage, JobView, TaskPage
from status_api.handlers.answers import json_response
from status_api.handlers.candle_replays import is_candle_replay
from status_api.handlers.context import Context, Ctx, Who
from status_api.handlers.parameters import (
    Cursor,
    JobId,
    Limit,
    Moment,
    Symbol,
    job_id_of,
    unknown_job,
)
from status_api.handlers.submitting import (
    IdempotencyKey,
    accepted,
    author_of,
    decided,
    publish,
    same,
    view,
    visible,
)

_WAIT_SECONDS: Final = 5.0

router = APIRouter(prefix="/jobs", tags=["jobs"])


class CancelRequest(BaseModel):
    """Cancels the whole job; choosing among its tasks is not available yet."""

    model_config = ConfigDict(extra="forbid", strict=True)

    symbols: list[str] | None = Field(default=None, description="not available yet")
    tasks: list[str] | None = Field(default=None, description="not available yet")


@router.post("", status_code=202, responses={202: {"model": JobView}}, response_model=None)
async def submit_job(
    ctx: Ctx, who: Who, request: JobRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Ask for candles. Answers once the job is visible on every replica."""
    digest = request.digest()
    author, known = await author_of(ctx, who, idempotency_key, digest)
    if known is not None:
        return await accepted(ctx, known)
    now = ctx.clock.now()
    period = check(request, now, ctx.feature_sets)
    symbols = request.symbols or ()
    check_symbols(request, await ctx.markets.listed(request.exchange, symbols))
    sets = tuple(ctx.feature_sets[name].ref for name in request.sets)
    await publish(ctx, command(request, author, period, sets, now=now))
    job = await visible(ctx, author.job_id)
    return await accepted(ctx, same(job, digest))


@router.get("", responses={200: {"model": JobPage}}, response_model=None)
async def list_jobs(
    ctx: Ctx,
    *,
    status: Annotated[JobStatus | None, Query()] = None,
    symbol: Symbol | None = None,
    kind: Annotated[JobKind | None, Query()] = None,
    since: Moment = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Jobs, newest first, without their tasks."""
    wanted = JobFilter(status, symbol, kind, None if since is None else parse_time("since", since))
    after = None if cursor is None else JobKey.decode(cursor)
    found = await ctx.jobs.page(wanted, after=after, limit=limit + 1)
    now = ctx.clock.now()
    last = found[limit - 1].submission if len(found) > limit else None
    page = JobPage(
        items=tuple(
            job_view(job.submission, job.progress, now, missing=job.missing)
            for job in found[:limit]
        ),
        next=None if last is None else JobKey(last.submitted_at, last.job_id).encode(),
    )
    return json_response(page, exclude={"items": {"__all__": {"tasks"}}})


@router.get("/{job_id}", responses={200: {"model": JobView}}, response_model=None)
async def get_job(ctx: Ctx, job_id: JobId) -> Response:
    """One job, with its first tasks."""
    job = await _job(ctx, job_id_of(job_id))
    return json_response(await view(ctx, job))


@router.get("/{job_id}/tasks", responses={200: {"model": TaskPage}}, response_model=None)
async def list_tasks(
    ctx: Ctx, job_id: JobId, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """The tasks of a job, in the order they were planned."""
    job = await _job(ctx, job_id_of(job_id))
    after = -1 if cursor is None else decode_numbers(cursor, 1)[0]
    found = await ctx.jobs.tasks(job.submission.job_id, after=after, limit=limit + 1)
    now = ctx.clock.now()
    last = found[limit - 1].planned_offset if len(found) > limit else None
    page = TaskPage(
        items=tuple(task_view(task, now) for task in found[:limit]),
        next=None if last is None else encode_numbers(last),
    )
    return json_response(page)


@router.post(
    "/{job_id}/cancel", status_code=202, responses={202: {"model": JobView}}, response_model=None
)
async def cancel_job(
    ctx: Ctx, who: Who, job_id: JobId, request: CancelRequest | None = None
) -> Response:
    """Stop a job for good; decided on the coordinator's state."""
    if request is not None and (request.symbols is not None or request.tasks is not None):
        raise invalid("symbols", "not_available", "only whole jobs can be cancelled yet")
    job = await _job(ctx, job_id_of(job_id))
    if is_candle_replay(job):
        path = f"/replays/{job.submission.job_id}/close"
        raise Problem(409, "to_be_closed", f"a replay of candles is given up by POST {path}")
    wanted = CancelJobV1(
        job_id=job.submission.job_id,
        correlation_id=ctx.new_id(),
        requested_by=who.name,
        requested_at=ctx.clock.now(),
    )
    await decided(ctx, wanted, _WAIT_SECONDS)
    return await accepted(ctx, await _job(ctx, wanted.job_id))


async def _job(ctx: Context, job_id: UUID) -> Job:
    job = await ctx.jobs.job(job_id)
    if job is None:
        raise unknown_job(job_id)
    return job
