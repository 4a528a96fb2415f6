"""`/jobs`: submit, list, read."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from candlelog.events.jobs import JobKind
from candlelog.events.progress import JobStatus
from status_api.adapters.jobs import JobFilter
from status_api.domain.cursors import JobKey, decode_numbers, encode_numbers
from status_api.domain.figures import job_view, task_view
from status_api.domain.moments import parse_time
from status_api.domain.submission import JobRequest
from status_api.domain.views import JobPage, JobView, TaskPage
from status_api.handlers.answers import json_response
from status_api.handlers.context import Ctx, Who
from status_api.handlers.own_path import OwnPath
from status_api.handlers.parameters import (
    Cursor,
    JobId,
    Limit,
    Moment,
    Symbol,
)
from status_api.handlers.submitting import (
    IdempotencyKey,
    accepted,
    author_of,
    checked,
    job_of,
    publish,
    same,
    view,
    visible,
)

router = APIRouter(prefix="/jobs", tags=["jobs"])
tasks = APIRouter(prefix="/jobs", tags=["jobs"], route_class=OwnPath)


@router.post("", status_code=202, responses={202: {"model": JobView}}, response_model=None)
async def submit_job(
    ctx: Ctx, who: Who, request: JobRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Ask for candles. Answers once the job is visible on every replica."""
    digest = request.digest()
    author, known = await author_of(ctx, who, idempotency_key, digest)
    if known is not None:
        return await accepted(ctx, known)
    await publish(ctx, await checked(ctx, author, request))
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
    job = await job_of(ctx, job_id)
    return json_response(await view(ctx, job))


@tasks.get("/{job_id}/tasks", responses={200: {"model": TaskPage}}, response_model=None)
async def list_tasks(
    ctx: Ctx, job_id: JobId, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """The tasks of a job, in the order they were planned."""
    job = await job_of(ctx, job_id)
    after = -1 if cursor is None else decode_numbers(cursor, 1)[0]
    found = await ctx.jobs.tasks(job.submission.job_id, after=after, limit=limit + 1)
    now = ctx.clock.now()
    last = found[limit - 1].planned_offset if len(found) > limit else None
    page = TaskPage(
        items=tuple(task_view(task, now) for task in found[:limit]),
        next=None if last is None else encode_numbers(last),
    )
    return json_response(page)
