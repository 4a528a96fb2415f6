"""Replays over REST: what is refused, and what two builds differ in, on the real engine."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
import pytest

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.events.jobs import ReplayFeaturesV1, SwitchReplayV1
from candlelog.events.progress import (
    JobAcceptedV1,
    JobStateChangedV1,
    ReplayAnsweredV1,
    ReplayPlannedV1,
)
from candlelog.market.feature_sets import load_feature_sets
from candlelog.market.series import Series
from status_api.adapters import differences
from status_api.adapters.history import History
from status_api.handlers import replays

pytestmark = pytest.mark.connected

_notes = count(2)

T0 = datetime(2024, 2, 1, tzinfo=UTC)
MS = pa.timestamp("ms", "UTC")
BTC = Series("binance", "BTC/USDT", "1m")
OLD, NEW = FeatureBuildRef(version=1, build=0), FeatureBuildRef(version=1, build=1)
COLUMNS = ("sma_7", "macd", "rsi_14")
BODY: dict[str, Any] = {
    "kind": "features",
    "exchange": "binance",
    "symbols": ["BTC/USDT"],
    "timeframes": ["1m"],
    "feature_set": "default",
}


def rows(build: FeatureBuildRef, minutes: Any, values: Any, symbol: str = "BTC/USDT") -> pa.Table:
    """Rows of a build: a line of `values` for each minute, NaN for null."""
    count = len(minutes)
    return pa.table(
        {
            "exchange": ["binance"] * count,
            "symbol": [symbol] * count,
            "timeframe": ["1m"] * count,
            "feature_set": ["default"] * count,
            "version": pa.array([build.version] * count, pa.uint32()),
            "build": pa.array([build.build] * count, pa.uint32()),
            "open_time": pa.array([T0 + timedelta(minutes=int(n)) for n in minutes], MS),
            "revision": pa.array([1] * count, pa.uint64()),
            **{
                name: pa.array(values[:, at], mask=np.isnan(values[:, at]))
                for at, name in enumerate(COLUMNS)
            },
        }
    )


def noted(symbol: str = "BTC/USDT", changed: int = 1, **states: int) -> pa.Table:
    """Builds of `default/1` in these states."""
    count = len(states)
    return pa.table(
        {
            "exchange": ["binance"] * count,
            "symbol": [symbol] * count,
            "timeframe": ["1m"] * count,
            "feature_set": ["default"] * count,
            "version": pa.array([1] * count, pa.uint32()),
            "build": pa.array(list(states.values()), pa.uint32()),
            "state": list(states),
            "changed": pa.array([changed] * count, pa.uint64()),
        }
    )


def candles(count: int, symbol: str = "BTC/USDT") -> pa.Table:
    return pa.table(
        {
            "exchange": ["binance"] * count,
            "symbol": [symbol] * count,
            "timeframe": ["1m"] * count,
            "open_time": pa.array([T0 + timedelta(minutes=n) for n in range(count)], MS),
            **{name: [1.0] * count for name in ("open", "high", "low", "close", "volume")},
            "source": ["rest"] * count,
            "observed_at": pa.array([T0 + timedelta(days=9)] * count, MS),
        }
    )


@pytest.fixture(scope="module")
async def filled(first: Any, emptied: None) -> Any:
    """An hour of candles; of BTC with features, of ETH without."""
    await first.clickhouse.insert_arrow("candles", candles(60))
    await first.clickhouse.insert_arrow("candles", candles(60, "ETH/USDT"))
    await first.clickhouse.insert_arrow("feature_builds", noted(serving=0, beside=1))
    generator = np.random.default_rng(5)
    old = generator.normal(size=(60, 3))
    new = old.copy()
    new[:, 1] += 0.5
    await first.clickhouse.insert_arrow("features", rows(OLD, range(60), old))
    await first.clickhouse.insert_arrow("features", rows(NEW, range(60), new))
    return first


@pytest.mark.parametrize(
    ("change", "code", "detail"),
    [
        ({"kind": "candels"}, "invalid_value", "kind must be candles or features"),
        ({"feature_set": "defualt"}, "unknown_feature_set", "did you mean default"),
        ({"feature_set": "default/7"}, "unknown_feature_set", "default/7"),
        ({"exchange": "binanse"}, "unknown_exchange", "binance"),
        ({"timeframes": ["2m"]}, "unknown_timeframe", "2m"),
        ({"symbols": []}, "empty_list", "symbols"),
        ({"symbols": ["BTCUSDT"]}, "unknown_symbol", "did you mean BTC/USDT"),
        ({"start": "2024-02-01T00:00:00Z", "end": "2024-02-01T00:00:00Z"}, "invalid_range", ""),
        ({"start": "soon"}, "malformed_time", "start"),
        ({"start": "2024-02-01T01:00:00Z"}, "no_candles", "has no candles in this range"),
        ({"end": "2024-02-01T00:00:00Z"}, "no_candles", "binance|BTC/USDT|1m"),
        ({"symbols": ["ETH/USDT"]}, "no_features", "has no features of 'default'"),
        ({"lookback": "1d"}, "unknown_field", "lookback"),
    ],
)
async def test_a_replay_that_cannot_be_is_refused_and_nothing_is_said(
    filled: Any, api: Any, change: dict[str, Any], code: str, detail: str
):
    answer = await api.http.post("/replays", json={**BODY, **change})
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert detail in answer.json()["detail"]
    assert await api.commands() == []


async def asked(api: Any, **change: Any) -> tuple[UUID, Any]:
    answer = await api.http.post("/replays", json={**BODY, **change})
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["id"]), answer


async def test_a_replay_is_a_job_and_visible_at_once(filled: Any, api: Any):
    job_id, answer = await asked(api, start="2024-02-01T00:10:00Z", label="slower")
    assert answer.headers["Location"] == f"/api/v1/replays/{job_id}"
    job = answer.json()
    assert (job["kind"], job["status"], job["label"]) == ("replay", "pending", "slower")
    assert job["feature_sets"] == ["default/1"]
    assert [step["name"] for step in job["steps"]] == ["plan", "features"]
    (command,) = await api.commands()
    assert isinstance(command, ReplayFeaturesV1)
    assert (command.feature_set.text, command.start, command.end) == (
        "default/1", T0 + timedelta(minutes=10), None,
    )  # fmt: skip
    listed = (await api.http.get("/jobs", params={"kind": "replay"})).json()["items"]
    assert str(job_id) in [each["id"] for each in listed]


async def test_the_same_key_and_body_are_the_same_replay(filled: Any, api: Any):
    key = {"Idempotency-Key": uuid4().hex}
    first = await api.http.post("/replays", json=BODY, headers=key)
    again = await api.http.post("/replays", json=BODY, headers=key)
    other = await api.http.post("/replays", json={**BODY, "label": "b"}, headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


async def _is_completed(api: Any, job_id: UUID) -> bool:
    return (await api.http.get(f"/jobs/{job_id}")).json()["status"] == "completed"


async def _switches(api: Any) -> list[SwitchReplayV1]:
    return [each for each in await api.commands() if isinstance(each, SwitchReplayV1)]


async def completed(api: Any, **change: Any) -> UUID:
    """A replay whose coordinator is played by the test."""
    job_id, _ = await asked(api, **change)
    await api.publisher.publish(
        ReplayPlannedV1(
            job_id=job_id, task_id=uuid4(), exchange="binance", symbol="BTC/USDT", timeframe="1m",
            start=T0, end=T0 + timedelta(hours=1), feature_set="default", new=NEW, old=OLD,
            chunks_total=1, planned_at=T0,
        ),
        JobAcceptedV1(
            job_id=job_id, tasks_total=1, chunks_total=1, slots_expected=0, slots_covered=0,
            accepted_at=T0,
        ),
        *(
            JobStateChangedV1(
                job_id=job_id, version=version, generation=0, state=state, changed_at=T0
            )
            for version, state in enumerate(("queued", "completed"), 1)
        ),
    )  # fmt: skip
    await api.folds.until(lambda: _is_completed(api, job_id))
    return job_id


async def test_a_replay_shows_the_columns_that_differ(filled: Any, api: Any):
    job_id = await completed(api)
    found = (await api.http.get(f"/replays/{job_id}")).json()
    assert (found["kind"], found["feature_set"], found["switched"]) == (
        "features", "default/1", False,
    )  # fmt: skip
    (series,) = found["series"]
    assert series["old"] == {"version": 1, "build": 0, "state": "serving"}
    assert series["new"] == {"version": 1, "build": 1, "state": "beside"}
    difference = series["difference"]
    assert (difference["rows_compared"], difference["rows_equal"]) == (60, 0)
    changed = [each["column"] for each in difference["columns"] if each["rows_changed"]]
    assert changed == ["macd"]
    assert len(difference["columns"]) == len(load_feature_sets(None)["default"].columns)


async def test_a_replay_of_a_range_compares_that_range(filled: Any, api: Any):
    job_id = await completed(api, start="2024-02-01T00:10:00Z", end="2024-02-01T00:15:00Z")
    (series,) = (await api.http.get(f"/replays/{job_id}")).json()["series"]
    assert series["difference"]["rows_compared"] == 5


async def answered(api: Any, job_id: UUID, *, accepted: bool, code: str) -> None:
    """Answer the next switch as the coordinator would."""
    found = await api.folds.until(lambda: _switches(api))
    await api.publisher.publish(
        ReplayAnsweredV1(
            job_id=job_id, correlation_id=found[-1].correlation_id, action=found[-1].action,
            accepted=accepted, code=code, reason="because", answered_at=T0,
        )
    )  # fmt: skip


async def test_a_switch_that_the_coordinator_refuses_is_a_conflict_with_its_reason(
    filled: Any, api: Any
):
    job_id = await completed(api)
    switching = asyncio.create_task(api.http.post(f"/replays/{job_id}/switch"))
    await answered(api, job_id, accepted=False, code="another_replay_runs")
    answer = await switching
    assert (answer.status_code, answer.json()["code"]) == (409, "another_replay_runs")
    assert answer.json()["detail"] == "because"


async def accepted_not_noted(api: Any, job_id: UUID, step: str) -> asyncio.Task[Any]:
    """A step that the coordinator has accepted: its request waits for the sink."""
    asked = asyncio.create_task(api.http.post(f"/replays/{job_id}/{step}"))
    await answered(api, job_id, accepted=True, code="accepted")
    done, _ = await asyncio.wait({asked}, timeout=0.2)
    assert not done
    return asked


@pytest.fixture
async def note(filled: Any) -> AsyncGenerator[Any]:
    """Notes states of builds as the sink does, later than all before; puts them back at the end."""

    async def note(**states: int) -> None:
        rows = noted(changed=next(_notes), **states)
        await filled.clickhouse.insert_arrow("feature_builds", rows)

    yield note
    await note(serving=0, beside=1)


async def test_a_switch_is_answered_once_readers_see_it(note: Any, api: Any):
    job_id = await completed(api)
    switching = await accepted_not_noted(api, job_id, "switch")
    await note(beside=0, serving=1)
    answer = await switching
    assert (answer.status_code, answer.json()["switched"]) == (202, True)
    assert answer.json()["series"][0]["difference"] is None


async def test_a_close_is_answered_once_readers_see_it(note: Any, api: Any):
    job_id = await completed(api)
    closing = await accepted_not_noted(api, job_id, "close")
    await note(serving=0, closed=1)
    assert (await closing).json()["series"][0]["new"]["state"] == "closed"


async def test_a_close_that_another_replay_keeps_from_giving_anything_up_is_answered(
    filled: Any, api: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(replays, "_READABLE_SECONDS", 0.5)
    job_id = await completed(api)
    closing = await accepted_not_noted(api, job_id, "close")
    answer = await closing
    assert (answer.status_code, answer.json()["series"][0]["new"]["state"]) == (202, "beside")


@pytest.mark.parametrize("way", ["", "/switch", "/switch-back", "/close"])
async def test_what_is_no_replay_is_not_found(api: Any, body: dict[str, object], way: str):
    job = (await api.http.post("/jobs", json=body)).json()["id"]
    for name in (job, uuid4(), "nonsense"):
        method = "POST" if way else "GET"
        answer = await api.http.request(method, f"/replays/{name}{way}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "unknown_replay"


def expected(old: Any, new: Any) -> tuple[list[int], list[float], int]:
    """Rows that differ by column, the largest relative difference, and equal rows; with numpy."""
    largest = np.nanmax(np.abs(np.concatenate([old, new])), axis=0)
    apart = np.abs(old - new) > 1e-9 * largest
    flags = (np.isnan(old) != np.isnan(new)) | apart
    with np.errstate(invalid="ignore"):
        shares = np.abs(old - new) / np.maximum(np.abs(old), np.abs(new))
    sizes = np.where(flags, np.nan_to_num(shares), 0).max(axis=0)
    return flags.sum(axis=0).tolist(), sizes.tolist(), int((~flags.any(axis=1)).sum())


@pytest.mark.parametrize("rows_at_once", [500_000, 700])
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_differences_are_what_numpy_finds(
    api: Any, monkeypatch: pytest.MonkeyPatch, seed: int, rows_at_once: int
):
    monkeypatch.setattr(differences, "_ROWS_AT_ONCE", rows_at_once)
    symbol = f"S{seed}{rows_at_once}/USDT"
    random = np.random.default_rng(seed)
    minutes = np.sort(random.choice(5000, 2000, replace=False))
    old = random.normal(size=(2000, 3)) * 10.0 ** random.integers(-6, 6, size=3)
    old[random.random(old.shape) < 0.1] = np.nan
    old[0, :] = np.abs(old).max(initial=0, where=~np.isnan(old))  # the largest is in every piece
    new = old * (1 + 1e-12)
    touched = random.random(old.shape) < 0.05
    new[touched] = random.normal(size=int(touched.sum()))
    in_old, in_new = minutes[:-20], minutes[30:]
    await api.clickhouse.insert_arrow("features", rows(OLD, in_old, old[:-20], symbol))
    await api.clickhouse.insert_arrow("features", rows(NEW, in_new, new[30:], symbol))
    found = await History(api.clickhouse).differences.between(
        Series("binance", symbol, "1m"),
        "default",
        builds=(OLD, NEW),
        columns=COLUMNS,
        bounds=(0, 2**42),
    )
    assert (found.compared, found.only_old, found.only_new) == (1950, 30, 20)
    changed, largest, equal = expected(old[30:-20], new[30:-20])
    if rows_at_once > 5000:
        assert (list(found.changed), found.equal) == (changed, equal)
        assert found.largest == pytest.approx(largest)
    else:
        assert found.compared - found.equal == 1950 - equal
