"""`/series`, `/coverage` and `/quarantine`: what is stored, asked for and set aside."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotState
from candlelog.market.timeframe import milliseconds
from status_api.adapters.history import Window
from status_api.domain.cursors import SeriesKey, decode_numbers, encode_numbers
from status_api.domain.runs import Asked, Covered, covered, runs
from status_api.handlers.answers import json_response
from status_api.handlers.context import Ctx
from status_api.handlers.parameters import (
    AnySeries,
    Cursor,
    Limit,
    Moment,
    OneSeries,
    Times,
    resumed,
)
from status_api.handlers.ranges import refuse_unknown_symbol

_MOST_ASKED: Final = 100_000
_NEWEST: Final = (2**62, 2**63 - 1)

router = APIRouter(tags=["candles"])


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    exchange: str
    symbol: str
    timeframe: str


class SeriesView(_View):
    """A series that holds candles."""

    candles: int
    first_open_time: datetime
    last_open_time: datetime
    updated_at: datetime


class CoverageView(_View):
    """Neighbouring slots `[start, end)` of one state, as many as there are."""

    start: datetime
    end: datetime
    slots: int
    state: SlotState
    source: str | None = Field(description="where they were asked for; null where in several ways")
    outcome: str | None = Field(
        description="what was answered: `candles`, `empty` or `unlisted`; the same"
    )
    observed_at: datetime | None = Field(
        description="when the part of them was read that was read longest ago; null for none"
    )


class QuarantinedView(_View):
    """A row that broke a rule, as it came."""

    open_time: datetime | None
    raw: str
    reason: str
    source: str
    job_id: UUID
    chunk_id: UUID
    observed_at: datetime


class SeriesPage(BaseModel):
    """Series by name."""

    items: list[SeriesView]
    next: str | None


class CoveragePage(BaseModel):
    """Runs in time order."""

    items: list[CoverageView]
    next: str | None


class QuarantinePage(BaseModel):
    """Rows, newest first."""

    items: list[QuarantinedView]
    next: str | None


@router.get("/series", responses={200: {"model": SeriesPage}}, response_model=None)
async def list_series(
    ctx: Ctx,
    *,
    wanted: AnySeries,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """The series that hold candles: how many, from when to when."""
    after = SeriesKey("", "", "") if cursor is None else SeriesKey.decode(cursor)
    found = await ctx.history.series(
        wanted, (after.exchange, after.symbol, after.timeframe), limit + 1
    )
    last = found[limit - 1] if len(found) > limit else None
    page = SeriesPage(
        items=[SeriesView.model_validate(each) for each in found[:limit]],
        next=last and SeriesKey(last.exchange, last.symbol, last.timeframe).encode(),
    )
    return json_response(page)


@router.get("/coverage", responses={200: {"model": CoveragePage}}, response_model=None)
async def list_coverage(
    ctx: Ctx,
    *,
    wanted: OneSeries,
    start: Moment = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """The state of every slot, as runs. Without `start` from the first one that was asked for, and
    never further than the newest candle that has closed.
    """
    series, now = wanted[0], ctx.clock.now()
    window = await ctx.history.span(
        series,
        resumed(wanted[1], cursor),
        now,
        from_first=start is None and cursor is None,
    )
    if window is None:
        await refuse_unknown_symbol(ctx, series)
        return json_response(CoveragePage(items=[], next=None))
    asked = await ctx.history.coverage(series, Window(window.start, window.end), _MOST_ASKED)
    if not asked:
        await refuse_unknown_symbol(ctx, series)
    told_until = _told_until(asked, window)
    slots = await ctx.history.slots(series, TimeRange(window.start, told_until), now=now)
    goes_on = slots[limit].start if len(slots) > limit else told_until
    covers = await asyncio.to_thread(lambda: covered(slots[:limit], runs(asked)))
    page = CoveragePage(
        items=[_run_view(series, found) for found in covers],
        next=encode_numbers(milliseconds(goes_on)) if goes_on < window.end else None,
    )
    return json_response(page)


def _run_view(series: Series, found: Covered) -> CoverageView:
    run = found.run
    return CoverageView(
        exchange=series.exchange,
        symbol=series.symbol,
        timeframe=series.timeframe,
        start=run.start,
        end=run.end,
        slots=run.slots,
        state=run.state,
        source=found.source,
        outcome=found.outcome,
        observed_at=found.observed_at,
    )


def _told_until(asked: Sequence[Asked], wanted: TimeRange) -> datetime:
    """Up to where these rows say everything: they come by start, and only so many at once."""
    whole = len(asked) < _MOST_ASKED or asked[-1].start <= wanted.start
    return wanted.end if whole else asked[-1].start


@router.get("/quarantine", responses={200: {"model": QuarantinePage}}, response_model=None)
async def list_quarantine(
    ctx: Ctx,
    *,
    wanted: AnySeries,
    times: Times,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Rows of venues' answers that broke a rule, by when they were read, newest first."""
    before = _NEWEST if cursor is None else decode_numbers(cursor, 2)
    found = await ctx.history.quarantine(wanted, times, (before[0], before[1]), limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    page = QuarantinePage(
        items=[QuarantinedView.model_validate(each) for each in found[:limit]],
        next=last and encode_numbers(milliseconds(last.observed_at), last.number),
    )
    return json_response(page)
