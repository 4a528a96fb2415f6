"""`/limits`: the budgets as the ledger tells them."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from status_api.domain.budgets import Budget
from status_api.handlers.answers import json_response
from status_api.handlers.context import Ctx

router = APIRouter(tags=["system"])


class WindowView(BaseModel):
    """A window of a budget, in exchange time."""

    id: int
    start: datetime
    end: datetime


class LimitView(BaseModel):
    """One budget; weights in the venue's unit."""

    budget: str = Field(description="exchange|egress|limit")
    capacity: float | None
    window: WindowView | None
    window_seconds: float | None
    granted: float = Field(
        description="given to workers in this window, with what was given to ask for the time "
        "since the window before it opened"
    )
    used: float | None = Field(description="used in this window by everybody, as the venue says")
    utilisation: float | None = Field(
        description="used over capacity, above 1 where others use more than a ceiling; of the "
        "window before while `used` is not known, and granted over capacity where the venue never "
        "says what was used"
    )
    foreign: float | None = Field(
        description="weight others were expected to use in this window when it was opened"
    )
    backoff_until: datetime | None
    allocator: UUID | None = Field(description="an id that each allocator takes anew")


class LimitPage(BaseModel):
    """All budgets."""

    items: list[LimitView]
    next: None = None


@router.get("/limits", responses={200: {"model": LimitPage}}, response_model=None)
async def list_limits(ctx: Ctx) -> Response:
    """How much each venue allows, how much was granted and used, and until when it said stop."""
    now = ctx.clock.now()
    items = [
        _view(name, budget, ctx.ledger.allocator, now)
        for name, budget in sorted(ctx.ledger.budgets.items())
    ]
    return json_response(LimitPage(items=items))


def _view(name: str, budget: Budget, allocator: UUID | None, now: datetime) -> LimitView:
    window = budget.window
    until = datetime.fromtimestamp(budget.backoff_until, UTC)
    return LimitView(
        budget=name,
        capacity=None if window is None else window.capacity,
        window=None
        if window is None
        else WindowView(id=window.window_id, start=window.start, end=window.end),
        window_seconds=None if window is None else (window.end - window.start).total_seconds(),
        granted=budget.granted,
        used=budget.used_now,
        utilisation=budget.utilisation,
        foreign=None if window is None else window.foreign,
        backoff_until=until if until > now else None,
        allocator=allocator,
    )
