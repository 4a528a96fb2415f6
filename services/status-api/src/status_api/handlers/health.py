"""`/health`: every service and store, and how jobs have gone."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from candlelog.errors import Unavailable
from status_api.domain.components import (
    CLICKHOUSE,
    POSTGRES,
    Component,
    State,
    failure_rate,
    overall,
)
from status_api.handlers.answers import json_response
from status_api.handlers.context import Context, Ctx

_PING_SECONDS: Final = 2.0
_DAY: Final = timedelta(days=1)

router = APIRouter(tags=["system"])


class ComponentView(BaseModel):
    """A service or a store."""

    name: str
    state: State
    detail: str | None
    instances: int | None = Field(description="processes heard of in the last seconds")
    lag: int | None = Field(description="records not yet handled")


class HealthView(BaseModel):
    """`down` when a store is away, `degraded` when a part is not well or 10 % of jobs failed."""

    status: State
    sandbox: bool = Field(description="whether the exchanges are stand-ins")
    components: list[ComponentView]
    jobs_24h: dict[str, int] = Field(
        description="jobs submitted or ended in the last 24 h, by status"
    )
    failure_rate_24h: float | None


@router.get("/health", responses={200: {"model": HealthView}}, response_model=None)
async def health(ctx: Ctx) -> Response:
    """How the parts are."""
    now = ctx.clock.now()
    stores = await asyncio.gather(
        _store(POSTGRES, ctx.jobs.ping), _store(CLICKHOUSE, ctx.history.ping)
    )
    states = await _states(ctx) if stores[0].state == "healthy" else {}
    rate = failure_rate(states)
    components = [*ctx.reports.components(now), *stores]
    view = HealthView(
        status=overall(components, rate),
        sandbox=ctx.sandbox,
        components=[
            ComponentView(
                name=each.name,
                state=each.state,
                detail=each.detail,
                instances=each.instances,
                lag=each.lag,
            )
            for each in components
        ],
        jobs_24h=states,
        failure_rate_24h=rate,
    )
    return json_response(view)


async def _states(ctx: Context) -> dict[str, int]:
    return dict(await ctx.jobs.states_since(ctx.clock.now() - _DAY))


async def _store(name: str, ping: Callable[[], Awaitable[None]]) -> Component:
    try:
        async with asyncio.timeout(_PING_SECONDS):
            await ping()
    except (Unavailable, TimeoutError) as error:
        return Component(name, "down", str(error) or "no answer")
    return Component(name, "healthy")
