"""A server that answers as the REST contract says, in memory; and a live feed to play back."""

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from candlelog_client import client as client_module
from candlelog_client.client import Candlelog
from candlelog_client.errors import Unreachable
from candlelog_client.http import Retry

URL = "http://candlelog.test"
TOKEN = "a-token"
JOB_ID = "5a0b7f0e-8f3f-5e0d-9d3c-1c2d3e4f5a6b"
TASK_ID = "11111111-1111-5111-8111-111111111111"


def job_json(**changes: Any) -> dict[str, Any]:
    """A job as the server answers it."""
    figures = {
        "status": "running",
        "progress_pct": 50.0,
        "candles_expected": 100,
        "candles_stored": 50,
        "chunks_total": 2,
        "chunks_done": 1,
        "eta_seconds": 1.5,
        "candles_per_second": 25.0,
    }
    task = {
        **figures,
        "id": TASK_ID,
        "exchange": "binance",
        "symbol": "BTC/USDT",
        "timeframe": "1m",
    }
    job = {
        **figures,
        "id": JOB_ID,
        "kind": "backfill",
        "label": None,
        "exchange": "binance",
        "symbols": ["BTC/USDT"],
        "timeframes": ["1m"],
        "created_at": "2024-03-01T00:00:00Z",
        "tasks_total": 1,
        "tasks": [task],
        "a_field_of_a_later_version": {"is": "ignored"},
    }
    return copy.deepcopy(job | changes)


def problem(status: int, code: str, detail: str, **members: Any) -> httpx.Response:
    """An RFC 9457 answer."""
    document = {"title": "x", "status": status, "detail": detail, "code": code, **members}
    headers = {"Content-Type": "application/problem+json"}
    return httpx.Response(status, content=orjson.dumps(document), headers=headers)


Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


@dataclass
class FakeApi:
    """Answers by `METHOD path` (below `/api/v1`); `first` is served before anything else."""

    answers: dict[str, Answer] = field(default_factory=dict)
    first: list[Answer] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    job_id: str = JOB_ID
    job = staticmethod(job_json)
    problem = staticmethod(problem)

    def say(self, route: str, body: Any, status: int = 200) -> None:
        """Answer a route with JSON from now on."""
        self.answers[route] = httpx.Response(status, json=body)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        self.requests.append(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return problem(401, "unauthenticated", "no token, or one that is not known")
        route = f"{request.method} {request.url.path.removeprefix('/api/v1')}"
        missing = problem(404, "not_found", f"no such path: {route}")
        answer = self.first.pop(0) if self.first else self.answers.get(route, missing)
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    @property
    def transport(self) -> httpx.MockTransport:
        """What a client is given instead of a network."""
        return httpx.MockTransport(self.handle)


@dataclass
class FakeFeed:
    """Plays one list of messages per connection; an exception in a list is raised there."""

    connections: list[Sequence[dict[str, Any] | Exception]] = field(default_factory=list)
    cursors: list[str | None] = field(default_factory=list)

    @asynccontextmanager
    async def open(
        self, jobs: str, cursor: str | None
    ) -> AsyncGenerator[AsyncIterator[dict[str, Any]]]:
        """See `candlelog_client.streams.Feed`."""
        self.cursors.append(cursor)
        if not self.connections:
            raise Unreachable("the server is away")
        yield self._play(self.connections.pop(0))

    async def _play(
        self, messages: Sequence[dict[str, Any] | Exception]
    ) -> AsyncIterator[dict[str, Any]]:
        for message in messages:
            if isinstance(message, Exception):
                raise message
            yield message


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def feed() -> FakeFeed:
    return FakeFeed()


@pytest.fixture
def client(api: FakeApi, feed: FakeFeed) -> Candlelog:
    return Candlelog(URL, TOKEN, transport=api.transport, feed=feed, retry=Retry(3, 0, 0))


@pytest.fixture
def command(api: FakeApi, feed: FakeFeed, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs `candlelog ARGS` against the fake server."""
    from candlelog_client.cli.app import app

    fake = partial(Candlelog, transport=api.transport, feed=feed, retry=Retry(3, 0, 0))
    monkeypatch.setattr(client_module, "Candlelog", fake)
    monkeypatch.setenv("CANDLELOG_API_URL", URL)
    monkeypatch.setenv("CANDLELOG_API_TOKEN", TOKEN)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, list(arguments))

    return run
