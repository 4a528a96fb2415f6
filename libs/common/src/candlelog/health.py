"""What a process says of itself: alive, ready, metrics, and its heartbeat on the log."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[None]]
"""Returns when the part is well, raises when it is not."""

_CHECK_SECONDS: Final = 2.0


class Health:
    """Collects the checks of a process; ready once it has started and every check passes."""

    def __init__(self) -> None:
        self._started = False
        self._checks: dict[str, Check] = {}
        self._lags: list[Callable[[], int]] = []
        self._troubles: list[Callable[[], Mapping[str, str]]] = []

    def started(self) -> None:
        """The process has begun its work."""
        self._started = True

    @property
    def has_started(self) -> bool:
        """Whether the process has begun its work."""
        return self._started

    def check(self, name: str, check: Check) -> None:
        """Ask `check` whenever somebody asks whether the process is ready."""
        self._checks[name] = check

    def watch_lag(self, lag: Callable[[], int]) -> None:
        """Add a reading of records not yet handled."""
        self._lags.append(lag)

    def watch_troubles(self, troubles: Callable[[], Mapping[str, str]]) -> None:
        """Add a reading of what is not well, by name, and keeps nobody from being ready."""
        self._troubles.append(troubles)

    async def unwell(self) -> dict[str, str]:
        """The checks that do not pass, and the troubles there are, with the reason."""
        found = await self.failing()
        for troubles in self._troubles:
            found |= troubles()
        return found

    @property
    def lag(self) -> int:
        """Records not yet handled, over all readings."""
        return sum(lag() for lag in self._lags)

    async def failing(self) -> dict[str, str]:
        """The checks that do not pass now, with the reason."""
        names = list(self._checks)
        failures = await asyncio.gather(*(self._failure(self._checks[name]) for name in names))
        found = {name: text for name, text in zip(names, failures, strict=True) if text}
        return found if self._started else {"process": "starting", **found}

    async def _failure(self, check: Check) -> str | None:
        try:
            await asyncio.wait_for(check(), _CHECK_SECONDS)
        except Exception as error:  # noqa: BLE001 -- whatever a check raises is its finding
            return str(error) or type(error).__name__
        return None


_STARTING: Final = {
    "type": "urn:candlelog:problem:starting",
    "title": "Service Unavailable",
    "status": 503,
    "detail": "this process is starting; ask again in a moment",
    "code": "starting",
}


def health_app(health: Health) -> Starlette:
    """`/livez`, `/readyz` and `/metrics`; a service with more to say mounts it beside them. Until
    it has, what it is asked for is not there yet, which is no 404."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("alive")

    async def readyz(_: Request) -> Response:
        failing = await health.failing()
        return JSONResponse(
            {"ready": not failing, "failing": failing}, status_code=503 if failing else 200
        )

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def elsewhere(_request: Request, _error: Exception) -> Response:
        if health.has_started:
            return PlainTextResponse("Not Found", status_code=404)
        return JSONResponse(
            _STARTING,
            status_code=503,
            headers={"Retry-After": "1"},
            media_type="application/problem+json",
        )

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ],
        exception_handlers={404: elsewhere},
    )
