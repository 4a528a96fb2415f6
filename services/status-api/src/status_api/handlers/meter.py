"""How long answers take, by route."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from candlelog.clock import Clock
from candlelog.telemetry import HTTP_SECONDS

_NO_ROUTE: Final = "none"
"""One label for everything that was answered before a route was found."""
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_NO_METHOD: Final = "other"
"""One label for whatever else somebody without a token may send: a label is kept for ever."""


class Meter:
    """Middleware: observes the time until each answer begins, so that a stream counts as one."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock.monotonic()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", _NO_ROUTE)
                method = scope["method"] if scope["method"] in _METHODS else _NO_METHOD
                labels = (method, route, str(message["status"]))
                HTTP_SECONDS.labels(*labels).observe(self._clock.monotonic() - began)
            await send(message)

        await self._app(scope, receive, noted)
