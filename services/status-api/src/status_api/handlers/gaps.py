"""`/gaps`: what nothing explains, and jobs that ask for it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from candlelog.events.gaps import ClosedGapState, OpenGapState
from candlelog.events.progress import MISSING_NAMED
from candlelog.gathering import gather
from candlelog.market.archive_names import missing_names
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from status_api.adapters.gaps import NEVER_TRIED, GapFilter, Tries, key_of
from status_api.domain.cursors import GapKey
from status_api.domain.problems import Problem
from status_api.domain.repairs import FILLABLE, Asker, check_fillable, commands
from status_api.domain.rows import GapRow
from status_api.domain.submission import Name
from status_api.domain.views import JobView
from status_api.handlers.answers import json_response
from status_api.handlers.context import Context, Ctx, Who
from status_api.handlers.parameters import AnySeries, Cursor, Limit, check_names
from status_api.handlers.submitting import accepted, publish, view, visible

_OPEN: Final = ("detected", "filling", "unfillable", "failed")

router = APIRouter(prefix="/gaps", tags=["gaps"])

_State = Annotated[
    Literal[OpenGapState, ClosedGapState, "open", "any"],
    Query(description="`open`: all but those that are filled, or merged into another gap"),
]
_Names = Annotated[list[Name], Field(min_length=1, max_length=1000)]


class GapView(BaseModel):
    """Neighbouring slots `[start, end)` of a series that nothing explains."""

    id: UUID
    exchange: str
    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    slots: int
    state: OpenGapState | ClosedGapState
    beyond_reach: int = Field(
        description="how many of the slots are older than what the venue still answers for"
    )
    files: list[str] = Field(
        description=f"files of an archive that would hold them: the first {MISSING_NAMED}"
    )
    files_total: int = Field(description="how many such files there would be")
    job_id: UUID | None = Field(description="the repair that was last to ask for it")
    attempts: int = Field(description="how many repairs were told to fill a gap with this start")
    tried_at: datetime | None = Field(description="when the last of these was submitted")
    detected_at: datetime
    changed_at: datetime


class GapPage(BaseModel):
    """Gaps by series and start."""

    items: list[GapView]
    next: str | None


class FillRequest(BaseModel):
    """Which gaps; what is left out is any."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    exchange: Name | None = None
    symbols: _Names | None = None
    timeframes: _Names | None = None


class Repairs(BaseModel):
    """The jobs that were submitted: one for each exchange and thousand gaps."""

    jobs: list[JobView]


@router.get("", responses={200: {"model": GapPage}}, response_model=None)
async def list_gaps(
    ctx: Ctx,
    *,
    wanted: AnySeries,
    state: _State = "open",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Slots that nothing explains, as found where jobs have ended."""
    after = None if cursor is None else GapKey.decode(cursor)
    states = {"open": _OPEN, "any": None}.get(state, (state,))
    found = await ctx.gaps.page(
        GapFilter(states, wanted.exchange, _only(wanted.symbol), _only(wanted.timeframe)),
        after=after,
        limit=limit + 1,
    )
    tries, now = await ctx.gaps.tries([gap.gap_id for gap in found[:limit]]), ctx.clock.now()
    page = GapPage(
        items=[_gap_view(gap, tries.get(gap.gap_id, NEVER_TRIED), now) for gap in found[:limit]],
        next=key_of(found[limit - 1]).encode() if len(found) > limit else None,
    )
    return json_response(page)


@router.post("/fill", status_code=202, responses={202: {"model": Repairs}}, response_model=None)
async def fill_gaps(ctx: Ctx, who: Who, request: FillRequest | None = None) -> Response:
    """Have every open gap filled that matches and that no job is filling."""
    wanted = request or FillRequest()
    check_names(wanted.exchange, wanted.timeframes or (), field="timeframes")
    found = await ctx.gaps.page(
        GapFilter(FILLABLE, wanted.exchange, wanted.symbols, wanted.timeframes),
        after=None,
        limit=None,
    )
    if not found:
        raise Problem(409, "nothing_to_fill", "no open gap matches that no job is filling")
    job_ids = await _submitted(ctx, who.name, found)
    jobs = await gather(visible(ctx, job_id) for job_id in job_ids)
    return json_response(Repairs(jobs=[await view(ctx, job) for job in jobs]), status=202)


@router.post(
    "/{gap_id}/fill", status_code=202, responses={202: {"model": JobView}}, response_model=None
)
async def fill_gap(
    ctx: Ctx, who: Who, gap_id: Annotated[str, Path(description="id of a gap")]
) -> Response:
    """Have one gap filled."""
    gap = await _gap(ctx, gap_id)
    check_fillable(gap)
    (job_id,) = await _submitted(ctx, who.name, [gap])
    return await accepted(ctx, await visible(ctx, job_id))


async def _submitted(ctx: Context, name: str, gaps: Sequence[GapRow]) -> list[UUID]:
    wanted = list(commands(gaps, Asker(name, ctx.clock.now(), ctx.new_id)))
    await publish(ctx, *wanted)
    return [command.job_id for command in wanted]


def _gap_view(gap: GapRow, tries: Tries, now: datetime) -> GapView:
    frame = Timeframe.parse(gap.timeframe)
    oldest = profile(gap.exchange).oldest_within_reach(frame, now) or gap.range_start
    files = _files(gap, now)
    return GapView.model_validate(
        {
            **asdict(gap),
            "id": gap.gap_id,
            "start": gap.range_start,
            "end": gap.range_end,
            "beyond_reach": frame.count(gap.range_start, min(gap.range_end, oldest)),
            "files": files[:MISSING_NAMED],
            "files_total": len(files),
            "attempts": tries.attempts,
            "tried_at": tries.last,
        }
    )


def _files(gap: GapRow, now: datetime) -> list[str]:
    archive = profile(gap.exchange).archive
    if archive is None:
        return []
    series = Series(gap.exchange, gap.symbol, gap.timeframe)
    return missing_names(archive, series, [TimeRange(gap.range_start, gap.range_end)], now)


async def _gap(ctx: Context, text: str) -> GapRow:
    try:
        gap = await ctx.gaps.gap(UUID(text))
    except ValueError:
        gap = None
    if gap is None:
        raise Problem(404, "unknown_gap", f"there is no gap {text[:64]!r}")
    return gap


def _only(name: str | None) -> tuple[str, ...] | None:
    return None if name is None else (name,)
