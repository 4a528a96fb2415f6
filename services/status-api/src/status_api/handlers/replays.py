"""`/replays`: what is stored, computed anew beside what is served, and then switched to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.events.fields import EARLIEST, LATEST
from candlelog.events.jobs import SwitchAction, SwitchReplayV1
from candlelog.market.series import Series
from status_api.adapters.history import Window
from status_api.adapters.jobs import NOT_YET, Job
from status_api.domain.candle_replay_views import CandleReplayView
from status_api.domain.cursors import decode_numbers, encode_numbers
from status_api.domain.problems import Problem, invalid
from status_api.domain.replay_views import (
    Columns,
    Difference,
    ReplayedSeries,
    ReplayView,
    difference_view,
    replayed_series,
)
from status_api.domain.replays import (
    CandleReplay,
    FeatureReplay,
    check_replay,
    refuse_empty,
    replay_command,
)
from status_api.domain.rows import TaskRow
from status_api.domain.views import JobView
from status_api.handlers import candle_replays
from status_api.handlers.answers import json_response
from status_api.handlers.context import Context, Ctx, Who
from status_api.handlers.parameters import Cursor, Exchange, JobId, check_names
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

_DECIDED_SECONDS: Final = 20.0
"""Before it decides, the coordinator looks for every candle that would lose its features."""
_READABLE_SECONDS: Final = 5.0
_LOOK_AGAIN_SECONDS: Final = 0.03
_PAGE: Final = 1000

ReplayRequest = Annotated[FeatureReplay | CandleReplay, Field(discriminator="kind")]
_View = ReplayView | CandleReplayView

router = APIRouter(prefix="/replays", tags=["replays"])


@router.post("", status_code=202, responses={202: {"model": JobView}}, response_model=None)
async def submit_replay(
    ctx: Ctx, who: Who, request: ReplayRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Compute features anew, or build the candles anew, beside what is served; a job of kind
    `replay`."""
    digest = request.digest()
    author, known = await author_of(ctx, who, idempotency_key, digest)
    if known is not None:
        return await accepted(ctx, known, "replays")
    if isinstance(request, CandleReplay):
        job = await candle_replays.submitted(ctx, request, author)
        return await accepted(ctx, same(job, digest), "replays")
    start, end = check_replay(request, ctx.feature_sets)
    wanted = ctx.feature_sets[request.feature_set].ref
    bounds = Window(start or EARLIEST, end or LATEST).bounds
    refuse_empty(
        request,
        ctx.markets.known(request.exchange),
        candles=await ctx.history.builds.candles(request.series, bounds),
        served=await ctx.history.builds.states(request.series, wanted.name),
    )
    command = replay_command(request, author, (start, end), wanted, now=ctx.clock.now())
    await publish(ctx, command)
    job = await visible(ctx, author.job_id)
    return await accepted(ctx, same(job, digest), "replays")


@router.get("/{job_id}", responses={200: {"model": _View}}, response_model=None)
async def get_replay(
    ctx: Ctx,
    job_id: JobId,
    *,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100, description="series of a page")] = 20,
    exchange: Annotated[
        Exchange | None, Query(description="of candles: compare those of one exchange")
    ] = None,
) -> Response:
    """A replay, and what it differs in from what it is compared with, as both are now."""
    check_names(exchange, ())
    job = await _replay(ctx, job_id)
    if candle_replays.is_candle_replay(job):
        return json_response(await candle_replays.replay_view(ctx, job, exchange or ""))
    if exchange is not None:
        raise invalid("exchange", "unknown_field", "a replay of features is of one exchange")
    after = NOT_YET if cursor is None else decode_numbers(cursor, 1)[0]
    found = await ctx.jobs.tasks(job.submission.job_id, after=after, limit=limit + 1)
    tasks = found[:limit]
    last = tasks[-1].planned_offset if len(found) > limit else None
    differences = [await _difference(ctx, job, task) for task in tasks]
    series = await _series(ctx, tasks, differences)
    page = await _view(ctx, job, series, None if last is None else encode_numbers(last))
    return json_response(page)


@router.post(
    "/{job_id}/switch", status_code=202, responses={202: {"model": _View}}, response_model=None
)
async def switch(ctx: Ctx, who: Who, job_id: JobId) -> Response:
    """Serve what the replay has computed. Answers once readers see it."""
    return await _switched(ctx, who.name, job_id, "switch")


@router.post(
    "/{job_id}/switch-back",
    status_code=202,
    responses={202: {"model": _View}},
    response_model=None,
)
async def switch_back(ctx: Ctx, who: Who, job_id: JobId) -> Response:
    """Serve again what was served before the switch. Answers once readers see it."""
    return await _switched(ctx, who.name, job_id, "switch_back")


@router.post(
    "/{job_id}/close", status_code=202, responses={202: {"model": _View}}, response_model=None
)
async def close(ctx: Ctx, who: Who, job_id: JobId) -> Response:
    """Give up the build that is not served: it is kept up no more, and there is no way back."""
    return await _switched(ctx, who.name, job_id, "close")


async def _switched(ctx: Context, name: str, text: str, action: SwitchAction) -> Response:
    job = await _replay(ctx, text)
    command = SwitchReplayV1(
        job_id=job.submission.job_id,
        correlation_id=ctx.new_id(),
        action=action,
        requested_by=name,
        requested_at=ctx.clock.now(),
    )
    if candle_replays.is_candle_replay(job):
        page = await candle_replays.switched(ctx, job, command)
        return json_response(page, status=202)
    await decided(ctx, command, _DECIDED_SECONDS)
    series = await _readable(ctx, job, action)
    page = await _view(ctx, job, series[:_PAGE], None)
    return json_response(page, status=202)


async def _readable(ctx: Context, job: Job, action: SwitchAction) -> Sequence[ReplayedSeries]:
    """The series, without their differences, once the sink has noted what was decided.

    A close may leave nothing to note, where other replays need both builds: it is answered then
    with what stands.
    """
    tasks = [task async for task in _tasks(ctx, job)]
    series = await _series(ctx, tasks, [None] * len(tasks))
    try:
        async with asyncio.timeout(_READABLE_SECONDS):
            while True:
                series = await _series(ctx, tasks, [None] * len(tasks))
                if all(_carried_out(each, action) for each in series):
                    return series
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    except TimeoutError:
        if action == "close":
            return series
        raise Problem(
            503, "not_confirmed", "it is decided, and will be seen once the sink has noted it"
        ) from None


def _carried_out(series: ReplayedSeries, action: SwitchAction) -> bool:
    if action == "close":
        return "closed" in (series.new.state, series.old.state)
    wanted = series.new if action == "switch" else series.old
    return wanted.state == "serving"


async def _tasks(ctx: Context, job: Job) -> AsyncIterator[TaskRow]:
    """Every task of the job that is planned."""
    after: int | None = NOT_YET
    while after is not None:
        found = await ctx.jobs.tasks(job.submission.job_id, after=after, limit=_PAGE)
        for task in found:
            yield task
        after = found[-1].planned_offset if len(found) == _PAGE else None


async def _series(
    ctx: Context, tasks: Sequence[TaskRow], differences: Sequence[Difference | None]
) -> list[ReplayedSeries]:
    """The series of tasks, with what is noted of their builds."""
    planned = [(task, task.replay) for task in tasks if task.replay is not None]
    if not planned:
        return []
    names = [_series_of(task) for task, _ in planned]
    states = await ctx.history.builds.states(names, planned[0][1]["feature_set"])
    return [
        replayed_series(task, replay, states.get(name, {}), difference)
        for (task, replay), name, difference in zip(planned, names, differences, strict=True)
    ]


async def _difference(ctx: Context, job: Job, task: TaskRow) -> Difference | None:
    replay = task.replay
    if replay is None:
        return None
    columns = Columns(ctx.feature_sets, replay)
    stored = await ctx.history.builds.columns(columns.both)
    compared = tuple(name for name in columns.both if name in stored)
    found = await ctx.history.differences.between(
        _series_of(task),
        replay["feature_set"],
        builds=(
            FeatureBuildRef(version=replay["old_version"], build=replay["old_build"]),
            FeatureBuildRef(version=replay["version"], build=replay["build"]),
        ),
        columns=compared,
        bounds=Window(job.submission.range_start, job.submission.range_end).bounds,
    )
    return difference_view(columns, compared, found)


def _series_of(task: TaskRow) -> Series:
    return Series(task.exchange or "", task.symbol or "", task.timeframe or "")


async def _view(
    ctx: Context, job: Job, series: Sequence[ReplayedSeries], cursor: str | None
) -> ReplayView:
    return ReplayView(
        job=await view(ctx, job),
        kind="features",
        feature_set=job.submission.feature_sets[0],
        switched=bool(series) and all(each.new.state == "serving" for each in series),
        series=tuple(series),
        next=cursor,
    )


async def _replay(ctx: Context, text: str) -> Job:
    try:
        job = await ctx.jobs.job(UUID(text))
    except ValueError:  # what is no id names no replay
        job = None
    if job is None or job.submission.kind != "replay":
        raise Problem(404, "unknown_replay", f"there is no replay {text[:64]!r}")
    return job
