"""Replays of candles over REST: their progress, what differs, and what is refused."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pytest

from candlelog.events.jobs import ReplayCandlesV1, SwitchReplayV1
from candlelog.events.progress import JobStateChangedV1, ReplayAnsweredV1
from candlelog.events.rebuild import PartRebuiltV1, ShadowChangedV1

pytestmark = pytest.mark.connected

NOW = datetime(2024, 3, 1, tzinfo=UTC)
MS = pa.timestamp("ms", "UTC")


def candles(closes: list[float], symbol: str, trades: int | None = 7) -> pa.Table:
    count = len(closes)
    return pa.table(
        {
            "exchange": ["binance"] * count,
            "symbol": [symbol] * count,
            "timeframe": ["1m"] * count,
            "open_time": pa.array([NOW + timedelta(minutes=n) for n in range(count)], MS),
            **dict.fromkeys(("open", "high", "low", "close"), closes),
            "volume": [1.0] * count,
            "trades": pa.array([trades] * count, pa.uint32()),
            "source": ["rest"] * count,
            "observed_at": pa.array([NOW] * count, MS),
        }
    )


@pytest.fixture
async def shadow(api: Any) -> AsyncGenerator[str]:
    """An empty table in the place of a shadow; its name."""
    name = f"{api.clickhouse.database}_shadow"
    await api.clickhouse.command(f"CREATE DATABASE {name}")
    await api.clickhouse.command(f"CREATE TABLE {name}.candles AS candles")
    yield f"{name}.candles"
    await api.clickhouse.command(f"DROP DATABASE {name} SYNC")
    await api.clickhouse.command("TRUNCATE TABLE candles")


async def submitted(api: Any, **fields: Any) -> UUID:
    answer = await api.http.post("/replays", json={"kind": "candles", **fields})
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["id"])


async def shown(api: Any, job_id: UUID, until: Any) -> dict[str, Any]:
    """The replay, once it is seen as `until` says."""

    async def look() -> dict[str, Any] | None:
        page = (await api.http.get(f"/replays/{job_id}")).json()
        return page if until(page) else None

    return await api.folds.until(look)


def state(job_id: UUID, version: int, name: str) -> JobStateChangedV1:
    return JobStateChangedV1(
        job_id=job_id, version=version, generation=0, state=name, changed_at=NOW
    )


def part(job_id: UUID, number: int, done: int, origin: str = "log") -> PartRebuiltV1:
    return PartRebuiltV1(
        job_id=job_id, origin=origin, partition=number, done=done, total=20, rows=5, rebuilt_at=NOW
    )


def changed(job_id: UUID, step: str) -> ShadowChangedV1:
    return ShadowChangedV1(job_id=job_id, step=step, correlation_id=uuid4(), changed_at=NOW)


async def rebuilt(api: Any) -> UUID:
    job_id = await submitted(api)
    states = [state(job_id, number, name) for number, name in enumerate(
        ("queued", "running", "completed"), 1
    )]  # fmt: skip
    await api.publisher.publish(*states[:2], changed(job_id, "open"), states[2])
    await shown(api, job_id, lambda page: page["job"]["status"] == "completed")
    return job_id


async def closed(api: Any, job_id: UUID) -> None:
    await api.publisher.publish(changed(job_id, "close"))
    await shown(api, job_id, lambda page: page["closed"])


async def test_a_replay_of_candles_is_a_job_and_its_parts_are_counted_once(api: Any):
    job_id = await submitted(api, label="again")
    (command,) = await api.commands()
    assert isinstance(command, ReplayCandlesV1)
    assert (command.job_id, command.label) == (job_id, "again")
    steps = [part(job_id, 0, 10), part(job_id, 0, 10), part(job_id, 0, 20), part(job_id, 1, 20)]
    await api.publisher.publish(
        state(job_id, 1, "queued"), state(job_id, 2, "running"), changed(job_id, "open"), *steps,
        part(job_id, 3, 0, "store"),
    )  # fmt: skip
    page = await shown(api, job_id, lambda page: page["parts"]["answers_total"])
    assert page["parts"] == {
        "records_read": 40, "records_total": 40, "answers_copied": 0, "answers_total": 20
    }  # fmt: skip
    job = page["job"]
    assert (job["chunks_done"], job["chunks_total"], job["candles_stored"]) == (2, 24, 20)
    assert job["progress_pct"] == pytest.approx(8.33)
    assert [step["name"] for step in job["steps"]] == ["plan", "store"]
    assert page["comparison"] is None
    await closed(api, job_id)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"kind": "ticks"}, "invalid_value", "kind"),
        ({}, "invalid_value", "kind"),
        ({"kind": "candles", "exchange": "binance"}, "unknown_field", "exchange"),
        ({"kind": "candles", "label": 7}, "invalid_value", "label"),
    ],
)
async def test_a_body_that_means_nothing_is_refused(
    api: Any, body: dict[str, Any], code: str, field: str
):
    answer = await api.http.post("/replays", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert await api.commands() == []


async def test_while_one_is_open_another_is_refused(api: Any):
    first = await submitted(api)
    answer = await api.http.post("/replays", json={"kind": "candles"})
    assert (answer.status_code, answer.json()["code"]) == (409, "another_replay_open")
    assert answer.json()["job_id"] == str(first)
    await closed(api, first)
    await closed(api, await submitted(api))


async def test_it_is_given_up_by_closing_it(api: Any):
    job_id = await submitted(api)
    answer = await api.http.post(f"/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "to_be_closed")
    assert f"/replays/{job_id}/close" in answer.json()["detail"]
    await closed(api, job_id)
    answer = await api.http.post(f"/jobs/{job_id}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "replay_closed")


async def test_what_differs_is_counted_and_named(api: Any, shadow: str):
    store = api.clickhouse
    await store.insert_arrow("candles", candles([1.0, 2.0, 3.0], "A/USDT"))
    await store.insert_arrow("candles", candles([1.0, 2.0, 3.0], "B/USDT"))
    await store.insert_arrow("candles", candles([1.0, 2.0], "C/USDT"))
    await store.insert_arrow(shadow, candles([1.0, 2.0, 3.0], "A/USDT"))
    await store.insert_arrow(shadow, candles([1.0, 2.5, 3.0, 4.0], "B/USDT"))
    await store.insert_arrow(shadow, candles([1.0], "C/USDT", trades=None))
    job_id = await rebuilt(api)
    found = (await api.http.get(f"/replays/{job_id}")).json()["comparison"]
    series = found.pop("series")
    assert found == {
        "series_compared": 3, "series_different": 2, "rows_compared": 7, "rows_equal": 5,
        "rows_changed": 2, "rows_only_live": 1, "rows_only_shadow": 1,
    }  # fmt: skip
    b, c = series
    assert (b["symbol"], b["rows_equal"], b["rows_changed"], b["rows_only_shadow"]) == (
        "B/USDT", 2, 1, 1
    )  # fmt: skip
    assert (b["first"], b["last"]) == ("2024-03-01T00:01:00Z", "2024-03-01T00:03:00Z")
    assert {
        each["column"]: each["largest_relative_change"] for each in b["columns"]
    } == dict.fromkeys(("open", "high", "low", "close"), pytest.approx(0.2))
    assert (c["rows_changed"], c["rows_only_live"], c["columns"]) == (1, 1, [])
    other = await api.http.get(f"/replays/{job_id}", params={"exchange": "kraken"})
    assert other.json()["comparison"]["series_compared"] == 0
    misspelt = await api.http.get(f"/replays/{job_id}", params={"exchange": "binanse"})
    assert (misspelt.status_code, misspelt.json()["code"]) == (422, "unknown_exchange")
    await closed(api, job_id)


async def test_of_a_shadow_that_is_gone_it_is_said_so(api: Any):
    job_id = await rebuilt(api)
    answer = await api.http.get(f"/replays/{job_id}")
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert (page["comparison"], page["shadow_missing"]) == (None, True)
    await closed(api, job_id)
    assert (await api.http.get(f"/replays/{job_id}")).json()["shadow_missing"] is False


async def switches(api: Any) -> list[SwitchReplayV1]:
    return [each for each in await api.commands() if isinstance(each, SwitchReplayV1)]


async def test_a_switch_is_answered_by_the_coordinator(api: Any, shadow: str):
    job_id = await rebuilt(api)
    call = asyncio.create_task(api.http.post(f"/replays/{job_id}/switch"))
    (command,) = await api.folds.until(lambda: switches(api))
    assert (command.job_id, command.action) == (job_id, "switch")
    await api.publisher.publish(
        changed(job_id, "switch"),
        ReplayAnsweredV1(
            job_id=job_id, correlation_id=command.correlation_id, action="switch", accepted=True,
            code="accepted", reason="", answered_at=NOW,
        ),
    )  # fmt: skip
    answer = await call
    assert (answer.status_code, answer.json()["switched"]) == (202, True)
    await closed(api, job_id)
    page = (await api.http.get(f"/replays/{job_id}")).json()
    assert (page["switched"], page["closed"], page["comparison"]) == (True, True, None)
