"""`/files`: files of archives that were read, or refused."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from status_api.domain.cursors import FileKey
from status_api.domain.rows import FileRow
from status_api.handlers.answers import json_response
from status_api.handlers.context import Ctx
from status_api.handlers.parameters import AnySeries, Cursor, Limit

router = APIRouter(tags=["candles"])

_Status = Literal["read", "refused", "superseded"]


class FileView(BaseModel):
    """A file, or an entry of a zip of many (`ZIP:ENTRY`), as it was read last."""

    archive: str
    path: str
    exchange: str
    symbol: str
    timeframe: str
    status: _Status
    superseded_by: str | None = Field(
        description="the path of a file that was read later, and holds all of this one"
    )
    refused: str | None = Field(description="why: `code: message`; null for a file that was read")
    sha256: str | None = Field(
        description="of the file, or of the text of an entry; null where it was refused"
    )
    size: int = Field(description="bytes of the same; 0 where it was refused")
    rows: int = Field(description="of those that were asked for")
    quarantined: int
    missing: int = Field(description="slots that were asked for of which it has no row")
    differing: int = Field(
        description="slots of a month of which the files of its days, which are not stored, say "
        "something else"
    )
    first_open_time: datetime | None
    last_open_time: datetime | None
    read_at: datetime
    job_id: UUID = Field(description="the job that had it read")


class FilePage(BaseModel):
    """Files by archive and path."""

    items: list[FileView]
    next: str | None


@router.get("/files", responses={200: {"model": FilePage}}, response_model=None)
async def list_files(
    ctx: Ctx,
    *,
    wanted: AnySeries,
    status: Annotated[_Status | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Files of archives that jobs have read, or refused, by archive and path."""
    after = None if cursor is None else FileKey.decode(cursor)
    found = await ctx.files.page(wanted, status, after=after, limit=limit + 1)
    last = found[limit - 1][0] if len(found) > limit else None
    page = FilePage(
        items=[_view(row, superseded_by) for row, superseded_by in found[:limit]],
        next=last and FileKey(last.archive, last.path).encode(),
    )
    return json_response(page)


def _view(row: FileRow, superseded_by: str | None) -> FileView:
    read: _Status = "read" if superseded_by is None else "superseded"
    return FileView(
        archive=row.archive,
        path=row.path,
        exchange=row.exchange,
        symbol=row.symbol,
        timeframe=row.timeframe,
        status=read if row.refused is None else "refused",
        superseded_by=superseded_by,
        refused=row.refused,
        sha256=row.sha256 or None,
        size=row.size,
        rows=row.rows_read,
        quarantined=row.rows_quarantined,
        missing=row.slots_missing,
        differing=row.slots_differing,
        first_open_time=row.first_open_time,
        last_open_time=row.last_open_time,
        read_at=row.read_at,
        job_id=row.job_id,
    )
