"""Replays of candles: what `/replays` does with them."""

from candlelog.events.jobs import SwitchReplayV1
from status_api.adapters.jobs import Job
from status_api.domain.candle_replay_views import CandleReplayView, candle_replay_view
from status_api.domain.problems import Problem
from status_api.domain.replays import CandleReplay
from status_api.domain.submission import Author
from status_api.handlers.context import Context
from status_api.handlers.submitting import decided, publish, view, visible

_STEP_SECONDS = 30.0
"""Before a switch, candles are compared; then the sink exchanges the tables."""


def is_candle_replay(job: Job) -> bool:
    """Whether a job is one: the other replays are of features."""
    return job.submission.kind == "replay" and not job.submission.features


async def submitted(ctx: Context, request: CandleReplay, author: Author) -> Job:
    """The job, unless a replay of candles is open: then a problem."""
    other = await ctx.jobs.open_shadow()
    if other is not None:
        raise Problem(
            409,
            "another_replay_open",
            f"replay {other} of candles is open: close it first",
            extra={"job_id": str(other)},
        )
    await publish(ctx, request.command(author, ctx.clock.now()))
    return await visible(ctx, author.job_id)


async def switched(ctx: Context, job: Job, command: SwitchReplayV1) -> CandleReplayView:
    """The replay, once the sink has done what was asked for."""
    await decided(ctx, command, _STEP_SECONDS)
    job, shadow = await ctx.jobs.candle_replay(job.submission.job_id)
    return candle_replay_view(await view(ctx, job), shadow, None, missing=False)


async def replay_view(ctx: Context, job: Job, exchange: str) -> CandleReplayView:
    """The replay, compared with what is served where both are whole."""
    job, shadow = await ctx.jobs.candle_replay(job.submission.job_id)
    whole = job.progress.state == "completed" and not shadow.closed
    compared = await ctx.history.compared(exchange) if whole else None
    return candle_replay_view(
        await view(ctx, job), shadow, compared, missing=whole and compared is None
    )
