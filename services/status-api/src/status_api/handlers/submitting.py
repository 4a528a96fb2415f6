"""Commands on their way out, and jobs on their way back: what every route that makes jobs does."""

from typing import Final
from uuid import UUID

from fastapi import Response

from candlelog.errors import Unavailable
from candlelog.events.codec import Message
from status_api.adapters.changes import FIRST_TASKS
from status_api.adapters.jobs import Job
from status_api.domain.figures import job_view
from status_api.domain.problems import Problem
from status_api.domain.views import JobView
from status_api.handlers.answers import json_response
from status_api.handlers.context import Context

_WAIT_SECONDS: Final = 5.0


async def publish(ctx: Context, *events: Message) -> None:
    """Publish; a log that is away is a problem."""
    try:
        await ctx.publisher.publish(*events)
    except Unavailable as error:
        raise Problem(503, "log_unavailable", str(error)) from error


async def visible(ctx: Context, job_id: UUID) -> Job:
    """A job that was submitted just now, once every replica shows it."""
    job = await ctx.landings.until(job_id, lambda: ctx.jobs.job(job_id), _WAIT_SECONDS)
    if job is None:
        raise Problem(
            503,
            "not_confirmed",
            "the job was submitted but is not visible yet; look for it before sending it again",
            extra={"job_id": str(job_id)},
        )
    return job


async def view(ctx: Context, job: Job) -> JobView:
    """The job with its first tasks."""
    tasks = await ctx.jobs.tasks(job.submission.job_id, limit=FIRST_TASKS)
    now = ctx.clock.now()
    return job_view(job.submission, job.progress, now, missing=job.missing, tasks=tasks)


async def accepted(ctx: Context, job: Job) -> Response:
    """202 with the job and where it is."""
    response = json_response(await view(ctx, job), status=202)
    response.headers["Location"] = f"/api/v1/jobs/{job.submission.job_id}"
    return response
