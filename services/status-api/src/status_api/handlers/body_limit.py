"""No body over 1 MiB, also where its length is not said beforehand."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from status_api.domain.problems import Problem
from status_api.handlers.answers import problem_response

MOST_BYTES: Final = 1 << 20
TOO_LARGE: Final = Problem(413, "body_too_large", "a body may hold 1 MiB")


class BodyLimit:
    """Middleware: 413 as soon as a body is known to be too long; no more of it is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body while it is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MOST_BYTES:
            await problem_response(TOO_LARGE)(scope, receive, send)
            return
        await self._app(scope, _Counter(receive), send)


class _Counter:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > MOST_BYTES:
            raise HTTPException(413)
        return message
