"""`/jobs/plan`: what a job would do, and how long that takes."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from candlelog.errors import Unavailable
from candlelog.events.jobs import PlanJobV1
from candlelog.events.progress import PlanTaskAnsweredV1
from status_api.adapters.plans import Plan, TooManyPlansError
from status_api.domain.budgets import outlook
from status_api.domain.problems import Problem
from status_api.domain.submission import Author, JobRequest
from status_api.handlers.answers import json_response
from status_api.handlers.context import Context, Ctx, Who
from status_api.handlers.own_path import OwnPath
from status_api.handlers.submitting import checked

_WAIT_SECONDS: Final = 20.0
"""The coordinator makes no plan that is older (`WAITED_SECONDS` in its `handlers/plans.py`)."""

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=OwnPath)


class PlannedTask(BaseModel):
    """What the job would do for a series."""

    symbol: str
    timeframe: str
    route: str
    route_reason: str
    start: datetime
    end: datetime
    candles_expected: int = Field(description="slots of the range that have closed")
    candles_covered: int = Field(description="of these, what is explained and not asked for again")
    requests: int = Field(description="to the venue")
    files: int = Field(description="of an archive, to be read")
    missing_files: tuple[str, ...] = Field(
        description="files that are not there and would hold what nothing is asked for: a hundred "
        "of them at most"
    )
    missing_files_total: int
    feature_pieces: int = Field(description="stretches of stored candles to compute features of")


class PlanView(BaseModel):
    """A plan; nothing of it is kept."""

    exchange: str
    tasks_total: int
    candles_expected: int
    candles_covered: int
    requests: int
    feature_pieces: int
    weight: float = Field(description="of the venue's budget, in its unit")
    capacity_per_minute: float = Field(
        description="what the ledger says the egresses of the last ten minutes of work may use, "
        "else the profile of one"
    )
    seconds: float = Field(
        description="how long the budget makes it take from now on, where neither another job nor "
        "anybody else behind the address uses it"
    )
    tasks: list[PlannedTask]


@router.post("/plan", status_code=200, responses={200: {"model": PlanView}}, response_model=None)
async def plan_job(ctx: Ctx, who: Who, request: JobRequest) -> Response:
    """Say what a job with this body would do, on what is stored and covered now."""
    wanted = await checked(ctx, Author(who.name, ctx.new_id()), request)
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            plan = await ctx.plans.ask(PlanJobV1(job=wanted))
    except TimeoutError:
        raise Problem(503, "not_answered", "the coordinator has not answered yet") from None
    except TooManyPlansError:
        raise Problem(503, "too_many_plans", "this replica makes as many plans as it may") from None
    except Unavailable as error:
        raise Problem(503, "log_unavailable", str(error)) from error
    if plan.total.refused is not None:
        raise Problem(422, "refused", plan.total.refused)
    return json_response(_view(ctx, request.exchange, plan))


def _view(ctx: Context, exchange: str, plan: Plan) -> PlanView:
    total, budget = plan.total, outlook(ctx.ledger.budgets, exchange, ctx.clock.now())
    return PlanView(
        exchange=exchange,
        tasks_total=total.series,
        candles_expected=total.slots_expected,
        candles_covered=total.slots_covered,
        requests=total.requests,
        feature_pieces=total.pieces,
        weight=total.weight,
        capacity_per_minute=budget.capacity_per_minute,
        seconds=round(budget.seconds(total.weight), 1),
        tasks=list(_tasks(plan.tasks)),
    )


def _tasks(tasks: Iterable[PlanTaskAnsweredV1]) -> Iterable[PlannedTask]:
    for task in tasks:
        yield PlannedTask(
            symbol=task.symbol,
            timeframe=task.timeframe,
            route=task.route,
            route_reason=task.route_reason,
            start=task.start,
            end=task.end,
            candles_expected=task.slots_expected,
            candles_covered=task.slots_covered,
            requests=task.requests,
            files=task.files,
            missing_files=task.missing_files,
            missing_files_total=task.missing_files_total,
            feature_pieces=task.pieces,
        )
