"""The live feed over a real WebSocket."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from candlelog_client.connection import Connection
from candlelog_client.errors import ServerProblem, Unauthorized, Unreachable
from candlelog_client.streams import WebSocketFeed

pytestmark = pytest.mark.connected

Talk = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def serving(talk: Talk, refusal: tuple[HTTPStatus, str] | None = None) -> AsyncGenerator[str]:
    def refuse(connection: ServerConnection, request):
        return None if refusal is None else connection.respond(*refusal)

    async with serve(talk, "127.0.0.1", 0, process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


async def silent(connection: ServerConnection) -> None:
    pass


async def test_messages_arrive_and_token_jobs_and_cursor_are_sent():
    seen = {}

    async def talk(connection: ServerConnection) -> None:
        seen["token"] = connection.request.headers["Authorization"]
        seen["url"] = urlsplit(connection.request.path)
        await connection.send(json.dumps({"cursor": "9", "jobs": []}))

    async with serving(talk) as url:
        feed = WebSocketFeed(Connection(url, "secret"))
        async with feed.open("a,b", "8") as messages:
            assert [message async for message in messages] == [{"cursor": "9", "jobs": []}]
    assert seen["token"] == "Bearer secret"
    assert seen["url"].path == "/api/v1/stream"
    assert parse_qs(seen["url"].query) == {"jobs": ["a,b"], "cursor": ["8"]}


async def test_a_connection_cut_without_a_farewell_is_unreachable():
    async def talk(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with serving(talk) as url, WebSocketFeed(Connection(url)).open("a", None) as messages:
        with pytest.raises(Unreachable, match="broke off"):
            await anext(messages)


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorized), (503, ServerProblem)])
async def test_a_refusal_before_the_opening_keeps_its_reason(status, error):
    body = json.dumps({"status": status, "code": "x", "detail": "the reason"})
    async with serving(silent, (HTTPStatus(status), body)) as url:
        feed = WebSocketFeed(Connection(url))
        with pytest.raises(error, match="the reason"):
            async with feed.open("a", None):
                pass


async def test_nobody_listening_is_unreachable():
    async with serving(silent) as url:
        pass
    with pytest.raises(Unreachable, match="cannot be reached"):
        async with WebSocketFeed(Connection(url)).open("a", None):
            pass


async def test_leaving_early_closes_the_connection():
    closed = asyncio.Event()

    async def talk(connection: ServerConnection) -> None:
        await connection.send('{"cursor": "1", "jobs": []}')
        await connection.wait_closed()
        closed.set()

    async with serving(talk) as url:
        async with WebSocketFeed(Connection(url)).open("a", None) as messages:
            await anext(messages)
        await asyncio.wait_for(closed.wait(), 60)
