"""The live feed over a WebSocket: messages as they come, from a cursor on."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from candlelog_client.connection import Connection
from candlelog_client.errors import ServerProblem, Unreachable
from candlelog_client.problems import error_of

Message = dict[str, Any]
"""`type` (snapshot or delta), `cursor`, and `jobs`: each whole, its tasks those that changed."""


class Feed(Protocol):
    """Where live messages come from."""

    def open(
        self, jobs: str, cursor: str | None
    ) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """Messages about `jobs` (ids with commas between, or "all") from `cursor` on.

        Without a cursor the first message is a snapshot. The iterator ends, or raises
        `Unreachable`, when the connection is lost.
        """
        ...


class WebSocketFeed:
    """The feed of a server, one connection per `open`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def open(self, jobs: str, cursor: str | None) -> AsyncGenerator[AsyncIterator[Message]]:
        """Connect and read; see `Feed.open`."""
        socket = await self._connected(jobs, cursor)
        try:
            yield _messages(socket)
        finally:
            await socket.close()

    async def _connected(self, jobs: str, cursor: str | None) -> ClientConnection:
        query = {"jobs": jobs} | ({"cursor": cursor} if cursor else {})
        origin = self._connection.url.replace("http", "ws", 1)
        token = self._connection.token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return await connect(
                f"{origin}/api/v1/stream?{urlencode(query)}",
                additional_headers=headers,
                max_size=None,
                proxy=None if self._connection.is_local else True,
            )
        except InvalidStatus as error:
            raise error_of(error.response.status_code, bytes(error.response.body)) from error
        except InvalidHandshake as error:
            raise ServerProblem(f"{self._connection.url} speaks no WebSocket: {error}") from error
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{self._connection.url} cannot be reached: {error}") from error


async def _messages(socket: ClientConnection) -> AsyncIterator[Message]:
    try:
        async for text in socket:
            yield orjson.loads(text)
    except ConnectionClosed as closed:
        raise Unreachable(f"the live feed broke off: {closed}") from closed
