"""Answers that take long to put together."""

import hashlib
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from threading import current_thread, main_thread
from types import SimpleNamespace
from typing import Any

import httpx
import pyarrow as pa
import pytest

from candlelog.clock import SystemClock
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun, SlotState
from status_api.adapters import history
from status_api.adapters.history import History
from status_api.adapters.series_tables import CANDLES
from status_api.domain.tokens import parse_tokens
from status_api.handlers import ranges, series
from status_api.handlers.app import application

T0 = datetime(2024, 2, 1, tzinfo=UTC)
TOKENS = parse_tokens(f"read:read:{hashlib.sha256(b'read').hexdigest()}")
QUERY = {
    "exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1m",
    "start": "2024-02-01T00:00:00Z", "end": "2024-02-01T00:03:00Z",
}  # fmt: skip


class Engine:
    """ClickHouse that holds two candles and two rows of coverage, apart from each other."""

    async def query(self, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        minute = timedelta(minutes=1)
        return [(at, at + minute, "rest", "candles", T0) for at in (T0, T0 + 2 * minute)]

    async def query_arrow(self, *_: Any, **__: Any) -> pa.Table:
        columns: dict[str, Any] = dict.fromkeys(CANDLES.columns, pa.array([1.0, 1.0]))
        times = pa.array([T0, T0 + timedelta(minutes=1)], pa.timestamp("ms", "UTC"))
        return pa.table(columns | {"open_time": times, "observed_at": times})


class Told(History):
    """A history whose slots are known: what they are made from is not what is tested here."""

    async def candle_revision(self, *_: Any) -> str:
        return "1"

    async def slots(
        self, series: Series, window: TimeRange, *, now: datetime, as_of: datetime | None = None
    ) -> list[SlotRun]:
        del series, now, as_of
        return [SlotRun(window.start, window.end, 3, SlotState.PRESENT, answered=True)]


@pytest.fixture(scope="module")
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    context: Any = SimpleNamespace(
        clock=SystemClock(),
        history=Told(Engine()),  # pyright: ignore[reportArgumentType]
        markets=SimpleNamespace(known=lambda _: None),
    )
    transport = httpx.ASGITransport(application(context, TOKENS, "1.2.3"))
    headers = {"Authorization": "Bearer read"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api/api/v1", headers=headers
    ) as client:
        yield client


def noted(work: Callable[..., Any], threads: list[bool]) -> Callable[..., Any]:
    def done(*arguments: Any) -> Any:
        threads.append(current_thread() is main_thread())
        return work(*arguments)

    return done


@pytest.mark.parametrize(
    ("path", "module", "name"),
    [
        ("/coverage", history, "Asked"),
        ("/coverage", series, "runs"),
        ("/coverage", series, "covered"),
        ("/candles", ranges, "rows"),
    ],
)
async def test_what_grows_with_an_answer_is_computed_beside_the_event_loop(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str, module: Any, name: str
):
    threads: list[bool] = []
    monkeypatch.setattr(module, name, noted(getattr(module, name), threads))
    answer = await http.get(path, params={**QUERY, "limit": 1})
    assert (answer.status_code, len(answer.json()["items"])) == (200, 1)
    assert set(threads) == {False}
