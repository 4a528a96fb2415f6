"""Live progress: SSE for one job, WebSocket for some or all."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Annotated, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Header, Query, Response, WebSocket
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.websockets import WebSocketDisconnect

from candlelog.errors import Unavailable
from status_api.domain.cursors import Positions, decode_positions
from status_api.domain.problems import Problem, invalid
from status_api.handlers.answers import problem_response
from status_api.handlers.context import Context, Ctx
from status_api.handlers.own_path import OwnPath
from status_api.handlers.parameters import (
    BEARER,
    ONLY_KNOWN,
    TOKEN,
    JobId,
    job_id_of,
    refuse_unknown,
    unknown_job,
)

_PING_SECONDS: Final = 15
_SEND_SECONDS: Final = 30
_MOST_JOBS: Final = 100
_GOING_AWAY: Final = 1001
_QUERY: Final = frozenset({"jobs", "cursor", TOKEN})

router = APIRouter(tags=["live"], route_class=OwnPath)


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    response_model=None,
    dependencies=[BEARER, ONLY_KNOWN],
)
async def job_events(
    ctx: Ctx,
    job_id: JobId,
    cursor: Annotated[str | None, Query(description="where to go on")] = None,
    last_event_id: Annotated[str | None, Header(description="the same, from browsers")] = None,
) -> Response:
    """A snapshot of the job, then a delta with every change (server-sent events)."""
    ids = await _existing(ctx, frozenset({job_id_of(job_id)}))
    first, rest = await _opened(ctx, ids, _since(last_event_id or cursor))
    return EventSourceResponse(_events(first, rest), ping=_PING_SECONDS, send_timeout=_SEND_SECONDS)


@router.websocket("/stream")
async def stream(socket: WebSocket, ctx: Ctx) -> None:
    """The same for `?jobs=ID,ID…` or `?jobs=all`; refused before it opens where it must be."""
    try:
        refuse_unknown(socket.query_params, _QUERY)
        ids = await _wanted(ctx, socket.query_params.get("jobs"))
        first, rest = await _opened(ctx, ids, _since(socket.query_params.get("cursor")))
    except Problem as problem:
        await socket.send_denial_response(problem_response(problem))
        return
    except Unavailable as error:
        problem = Problem(503, "store_unavailable", str(error))
        await socket.send_denial_response(problem_response(problem))
        return
    await socket.accept()
    await _serve(socket, first, rest)


async def _serve(socket: WebSocket, first: bytes, rest: AsyncGenerator[bytes]) -> None:
    """Send until the feed ends or the client leaves, whichever comes first."""
    sending = asyncio.create_task(_send(socket, first, rest))
    leaving = asyncio.create_task(_left(socket))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        await rest.aclose()


async def _send(socket: WebSocket, first: bytes, rest: AsyncIterator[bytes]) -> None:
    try:
        await socket.send_text(first.decode())
        async for message in rest:
            await socket.send_text(message.decode())
        await socket.close(_GOING_AWAY, "the server stops; come back with the cursor")
    except WebSocketDisconnect:
        return


async def _left(socket: WebSocket) -> None:
    """Return when the client closes; what it sends, text or bytes, is not looked at."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _events(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[ServerSentEvent]:
    try:
        yield _event(first)
        async for message in rest:
            yield _event(message)
    finally:
        await rest.aclose()


def _event(message: bytes) -> ServerSentEvent:
    head = orjson.loads(message)
    return ServerSentEvent(message.decode(), event=head["type"], id=head["cursor"])


async def _opened(
    ctx: Context, ids: frozenset[UUID] | None, since: Positions | None
) -> tuple[bytes, AsyncGenerator[bytes]]:
    """The first message and those to come; what goes wrong shows before anything is sent."""
    messages = ctx.feed.messages(ids, since)
    return await anext(messages), messages


async def _wanted(ctx: Context, jobs: str | None) -> frozenset[UUID] | None:
    if jobs == "all":
        return None
    names = [name for name in (jobs or "").split(",") if name]
    if not names:
        raise invalid("jobs", "missing_field", "name the jobs: ?jobs=ID,ID or ?jobs=all")
    if len(names) > _MOST_JOBS:
        raise invalid("jobs", "too_many_items", f"at most {_MOST_JOBS} jobs; or watch all")
    return await _existing(ctx, frozenset(job_id_of(name) for name in names))


async def _existing(ctx: Context, ids: frozenset[UUID]) -> frozenset[UUID]:
    missing = ids - await ctx.jobs.existing(ids)
    if missing:
        raise unknown_job(min(missing))
    return ids


def _since(cursor: str | None) -> Positions | None:
    return decode_positions(cursor) if cursor else None
