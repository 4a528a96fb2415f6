"""Who may pass: tokens and scopes, before anything of a request is read."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from status_api.domain.problems import Problem
from status_api.domain.tokens import Scope as Permission
from status_api.domain.tokens import Token, find
from status_api.handlers.answers import problem_response

_GUARDED: Final = "/api/"
_READING: Final = frozenset({"GET", "HEAD"})


class Gate:
    """Middleware: 401 without a known token, 403 without the scope the method needs."""

    def __init__(self, app: ASGIApp, tokens: Sequence[Token]) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through with its token in the scope, or answer it."""
        if scope["type"] == "lifespan" or not scope["path"].startswith(_GUARDED):
            await self._app(scope, receive, send)
            return
        try:
            scope["candlelog.token"] = self._admit(scope)
        except Problem as problem:
            await refuse(problem, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> Token:
        secret = _secret(scope)
        token = None if secret is None else find(self._tokens, secret)
        if token is None:
            raise Problem(401, "unauthenticated", "send a known token: Authorization: Bearer TOKEN")
        needed: Permission = "read" if scope.get("method", "GET") in _READING else "submit"
        if needed not in token.scopes:
            raise Problem(403, "forbidden", f"the token {token.name} lacks the scope {needed}")
        return token


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the problem; a WebSocket is refused before it opens, with the same answer."""
    response = problem_response(problem)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


def _secret(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, secret = value.decode("latin-1").partition(" ")
            return secret.strip() if scheme.lower() == "bearer" else None
    if scope["type"] == "websocket" or scope["path"].endswith("/events"):
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        return given[0] if given else None
    return None
