"""Commands on their way out, and jobs on their way back: what every route that makes jobs does."""

import re
from typing import Annotated, Final
from uuid import UUID

from fastapi import Header, Response
from pydantic import AfterValidator

from candlelog.errors import Unavailable
from candlelog.events.codec import Message
from candlelog.events.jobs import SteerJob, SubmitJobV1, SwitchReplayV1
from status_api.adapters.changes import FIRST_TASKS
from status_api.adapters.jobs import Decision, Job
from status_api.domain.figures import job_view
from status_api.domain.problems import Problem
from status_api.domain.submission import (
    Author,
    JobRequest,
    check,
    check_symbols,
    command,
    idempotent_job_id,
)
from status_api.domain.tokens import Token
from status_api.domain.views import JobView
from status_api.handlers.answers import json_response
from status_api.handlers.context import Context
from status_api.handlers.parameters import job_id_of, unknown_job

_WAIT_SECONDS: Final = 5.0
_KEY: Final = re.compile(r"[\x20-\x7e]{1,200}")

NOT_ANSWERED: Final = Decision(
    accepted=False,
    code="not_answered",
    reason="the coordinator has not answered yet; it may still carry it out",
)


def _key(text: str | None) -> str | None:
    if text is not None and not _KEY.fullmatch(text):
        raise ValueError("must be 1 to 200 printable ASCII characters")
    return text


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="the same key and body again are the same job",
        json_schema_extra={"pattern": f"^{_KEY.pattern}$"},
    ),
    AfterValidator(_key),
]


async def author_of(
    ctx: Context, who: Token, key: str | None, digest: str
) -> tuple[Author, Job | None]:
    """Whose job this will be, and the job itself where the key has made it before.

    A job that was asked for in other words is a problem.
    """
    if key is None:
        return Author(who.name, ctx.new_id()), None
    author = Author(who.name, idempotent_job_id(who.name, key))
    known = await ctx.jobs.job(author.job_id)
    return author, known and same(known, digest)


async def checked(ctx: Context, author: Author, request: JobRequest) -> SubmitJobV1:
    """The command for a request; a 422 problem lists every rule that it breaks."""
    now = ctx.clock.now()
    period = check(request, now, ctx.feature_sets)
    check_symbols(request, await ctx.markets.listed(request.exchange, request.symbols or ()))
    sets = tuple(ctx.feature_sets[name].ref for name in request.sets)
    return command(request, author, period, sets, now=now)


def same(job: Job, digest: str) -> Job:
    """The job, when it was asked for in the same words and is there."""
    if job.deleted:
        reason = f"the key belongs to job {job.submission.job_id}, which was deleted"
        raise Problem(409, "job_deleted", reason)
    if job.submission.request_digest != digest:
        raise Problem(
            409,
            "idempotency_conflict",
            f"the key belongs to job {job.submission.job_id}, which was asked for differently",
        )
    return job


async def publish(ctx: Context, *events: Message) -> None:
    """Publish; a log that is away is a problem. What was sent to it may be there all the same."""
    try:
        await ctx.publisher.publish(*events)
    except Unavailable as error:
        reason = f"{error}; it may still be carried out, so look before you send it again"
        raise Problem(503, "log_unavailable", reason) from error


async def decision_about(
    ctx: Context, asked: SteerJob | SwitchReplayV1, seconds: float
) -> Decision:
    """What the coordinator answers to a command that was published."""
    correlation_id = asked.correlation_id
    decision = await ctx.landings.until(
        correlation_id, lambda: ctx.jobs.decision(correlation_id), seconds
    )
    return decision or NOT_ANSWERED


async def decided(ctx: Context, asked: SteerJob | SwitchReplayV1, seconds: float) -> None:
    """Publish the command and wait for the coordinator's consent; its refusal is a problem."""
    await publish(ctx, asked)
    decision = await decision_about(ctx, asked, seconds)
    if decision is NOT_ANSWERED:
        raise Problem(503, decision.code, decision.reason)
    if not decision.accepted:
        status = 404 if decision.code in {"unknown_job", "unknown_replay"} else 409
        raise Problem(status, decision.code, decision.reason)


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


async def job_of(ctx: Context, text: str) -> Job:
    """The job of this id; a 404 problem without one."""
    job = await ctx.jobs.job(job_id_of(text))
    if job is None or job.deleted:
        raise unknown_job(text)
    return job


async def view(ctx: Context, job: Job) -> JobView:
    """The job with its first tasks."""
    tasks = await ctx.jobs.tasks(job.submission.job_id, limit=FIRST_TASKS)
    now = ctx.clock.now()
    return job_view(job.submission, job.progress, now, missing=job.missing, tasks=tasks)


async def accepted(ctx: Context, job: Job, place: str = "jobs") -> Response:
    """202 with the job and where it is."""
    response = json_response(await view(ctx, job), status=202)
    response.headers["Location"] = f"/api/v1/{place}/{job.submission.job_id}"
    return response
