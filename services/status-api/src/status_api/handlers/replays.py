"""`/replays`: what is stored, computed anew beside what is served, and then switched to."""

from fastapi import APIRouter, Response

from status_api.adapters.history import EARLIEST, LATEST, Window
from status_api.domain.replays import FeatureReplay, check_replay, refuse_empty, replay_command
from status_api.domain.views import JobView
from status_api.handlers.context import Ctx, Who
from status_api.handlers.submitting import (
    IdempotencyKey,
    accepted,
    author_of,
    publish,
    same,
    visible,
)

router = APIRouter(prefix="/replays", tags=["replays"])


@router.post("", status_code=202, responses={202: {"model": JobView}}, response_model=None)
async def submit_replay(
    ctx: Ctx, who: Who, request: FeatureReplay, idempotency_key: IdempotencyKey = None
) -> Response:
    """Compute features anew, beside those that are served; a job of kind `replay`."""
    digest = request.digest()
    author, known = await author_of(ctx, who, idempotency_key, digest)
    if known is not None:
        return await accepted(ctx, known, "replays")
    start, end = check_replay(request, ctx.feature_sets)
    wanted = ctx.feature_sets[request.feature_set].ref
    bounds = Window(start or EARLIEST, end or LATEST).bounds
    refuse_empty(
        request,
        ctx.markets.known(request.exchange),
        candles=await ctx.history.replays.candles(request.series, bounds),
        served=await ctx.history.replays.served(request.series, wanted.name),
    )
    command = replay_command(request, author, (start, end), wanted, now=ctx.clock.now())
    await publish(ctx, command)
    job = await visible(ctx, author.job_id)
    return await accepted(ctx, same(job, digest), "replays")
