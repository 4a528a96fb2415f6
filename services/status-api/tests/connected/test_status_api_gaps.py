"""Gaps over REST: listed, filled, refused; and how complete a job is."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from candlelog.events.codec import Message
from candlelog.events.gaps import GapClosedV1, GapOpenedV1
from candlelog.events.jobs import FillGapsV1, SubmitJobV1
from candlelog.events.progress import (
    JobStateChangedV1,
    MissingPeriod,
    TaskAuditedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)

pytestmark = pytest.mark.connected

T0 = datetime(2024, 2, 1, tzinfo=UTC)
OFFSETS = "SELECT partition, next_offset FROM consumed_offsets WHERE topic = $1"


def opened(symbol: str, start: int, slots: int = 3, **fields: Any) -> GapOpenedV1:
    begin = T0 + timedelta(minutes=start)
    told = {
        "gap_id": uuid5(UUID(int=7), f"{symbol}|{start}"), "version": 1, "exchange": "binance",
        "symbol": symbol, "timeframe": "1m", "start": begin,
        "end": begin + timedelta(minutes=slots), "slots": slots, "state": "detected",
        "detected_at": T0, "changed_at": T0,
    }  # fmt: skip
    return GapOpenedV1.model_validate(told | fields)


def closed(gap: GapOpenedV1, version: int = 2) -> GapClosedV1:
    return GapClosedV1.model_validate(gap.model_dump() | {"version": version, "state": "filled"})


@pytest.fixture
def symbol() -> str:
    """A symbol of this test alone."""
    return f"T{uuid4().hex[:8]}/USDT"


def month_of(symbol: str) -> str:
    """What the file of that month is called."""
    market = symbol.replace("/", "")
    return f"spot/monthly/klines/{market}/1m/{market}-1m-2024-02.zip"


async def listed(api: Any, **query: Any) -> list[dict[str, Any]]:
    answer = await api.http.get("/gaps", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def say(api: Any, *events: Message) -> None:
    """Publish, and wait until everything on that topic is folded."""
    await api.publisher.publish(*events)
    topic = f"{api.prefix}{events[-1].topic}"
    async with api.log.tail([topic], start="end") as tail:
        ends = {number: end for (_, number), end in (await tail.end()).items() if end}

    async def folded() -> bool:
        found = dict(await api.pool.fetch(OFFSETS, topic))
        return all(found.get(number, 0) >= end for number, end in ends.items())

    await api.folds.until(folded)


async def test_gaps_are_listed_by_series_and_start_in_pages(api: Any, symbol: str):
    gaps = [opened(symbol, start) for start in (40, 0, 20)]
    await say(api, *gaps)
    found: list[str] = []
    cursor: str | None = None
    while True:
        query = {"symbol": symbol, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.http.get("/gaps", params=query)).json()
        found += [gap["start"] for gap in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == ["2024-02-01T00:00:00Z", "2024-02-01T00:20:00Z", "2024-02-01T00:40:00Z"]
    first = (await listed(api, symbol=symbol))[0]
    assert first == {
        "id": str(gaps[1].gap_id), "exchange": "binance", "symbol": symbol, "timeframe": "1m",
        "start": "2024-02-01T00:00:00Z", "end": "2024-02-01T00:03:00Z", "slots": 3,
        "state": "detected", "beyond_reach": 0, "files": [month_of(symbol)], "files_total": 1,
        "job_id": None, "attempts": 0, "tried_at": None,
        "detected_at": "2024-02-01T00:00:00Z", "changed_at": "2024-02-01T00:00:00Z",
    }  # fmt: skip


async def test_a_gap_tells_how_much_of_it_the_venue_does_not_reach_back_to(api: Any, symbol: str):
    await say(api, opened(symbol, 0, exchange="kraken"))
    (gap,) = await listed(api, symbol=symbol)
    assert (gap["slots"], gap["beyond_reach"]) == (3, 3)
    assert gap["files"] == [f"{symbol.replace('/', '')}_1.csv"]


async def test_a_gap_tells_how_often_it_was_asked_for_again_and_when(api: Any, symbol: str):
    gap = opened(symbol, 0, state="failed")
    await say(api, gap)
    job = (await api.http.post(f"/gaps/{gap.gap_id}/fill")).json()
    (found,) = await listed(api, symbol=symbol)
    assert (found["attempts"], found["tried_at"]) == (1, job["created_at"])


async def test_gaps_that_are_over_are_shown_only_when_asked_for(api: Any, symbol: str):
    gaps = [opened(symbol, 0), opened(symbol, 10)]
    await say(api, *gaps, closed(gaps[0]))
    assert [gap["id"] for gap in await listed(api, symbol=symbol)] == [str(gaps[1].gap_id)]
    over = await listed(api, symbol=symbol, state="filled")
    assert [gap["id"] for gap in over] == [str(gaps[0].gap_id)]
    assert len(await listed(api, symbol=symbol, state="any")) == 2
    assert len(await listed(api, symbol=symbol, state="failed")) == 0


async def test_a_gap_is_filled_by_a_job_of_its_own(api: Any, symbol: str):
    gap = opened(symbol, 5)
    await say(api, gap)
    answer = await api.http.post(f"/gaps/{gap.gap_id}/fill")
    job = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/api/v1/jobs/{job['id']}")
    assert (job["kind"], job["symbols"], job["timeframes"]) == ("gap_repair", [symbol], ["1m"])
    assert (job["start"], job["end"]) == ("2024-02-01T00:05:00Z", "2024-02-01T00:08:00Z")
    (command,) = [each for each in await api.commands() if isinstance(each, FillGapsV1)]
    assert [each.gap_id for each in command.gaps] == [gap.gap_id]
    assert (command.submitted_by, str(command.job_id)) == ("author", job["id"])
    assert (await api.jobs(kind="gap_repair"))[0]["id"] == job["id"]


async def test_a_gap_is_filling_until_its_job_is_over(api: Any, symbol: str):
    gap = opened(symbol, 0)
    await say(api, gap)
    job = (await api.http.post(f"/gaps/{gap.gap_id}/fill")).json()
    assert [each["state"] for each in await listed(api, symbol=symbol)] == ["filling"]
    again = await api.http.post(f"/gaps/{gap.gap_id}/fill")
    assert (again.status_code, again.json()["code"]) == (409, "already_filling")
    none = await api.http.post("/gaps/fill", json={"symbols": [symbol]})
    assert (none.status_code, none.json()["code"]) == (409, "nothing_to_fill")
    await say(
        api,
        JobStateChangedV1(
            job_id=UUID(job["id"]), version=3, generation=0, state="failed", changed_at=T0
        ),
    )
    assert [each["state"] for each in await listed(api, symbol=symbol)] == ["detected"]
    assert (await api.http.post(f"/gaps/{gap.gap_id}/fill")).status_code == 202


async def test_a_gap_that_is_over_or_unknown_cannot_be_filled(api: Any, symbol: str):
    gap = opened(symbol, 0)
    await say(api, gap, closed(gap))
    over = await api.http.post(f"/gaps/{gap.gap_id}/fill")
    assert (over.status_code, over.json()["code"]) == (409, "already_filled")
    for nobody in (uuid4(), "nonsense"):
        unknown = await api.http.post(f"/gaps/{nobody}/fill")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_gap")


async def test_all_gaps_that_match_are_filled_by_one_job_a_thousand(api: Any, symbol: str):
    gaps = [opened(symbol, 10 * number) for number in range(1003)]
    hourly = opened(symbol, 0, timeframe="1h", gap_id=uuid4())
    await say(api, *gaps, hourly)
    body = {"exchange": "binance", "symbols": [symbol], "timeframes": ["1m"]}
    answer = await api.http.post("/gaps/fill", json=body)
    assert answer.status_code == 202
    commands = [each for each in await api.commands() if isinstance(each, FillGapsV1)]
    assert sorted(len(each.gaps) for each in commands) == [3, 1000]
    assert {each.gap_id for command in commands for each in command.gaps} == {
        gap.gap_id for gap in gaps
    }
    assert {job["id"] for job in answer.json()["jobs"]} == {str(each.job_id) for each in commands}
    left = await listed(api, symbol=symbol, state="detected")
    assert [gap["timeframe"] for gap in left] == ["1h"]


@pytest.mark.parametrize("state", ["failed", "unfillable"])
async def test_a_gap_that_a_repair_has_left_can_be_filled_again(api: Any, symbol: str, state: str):
    gap = opened(symbol, 0, state=state)
    await say(api, gap)
    answer = await api.http.post("/gaps/fill", json={"symbols": [symbol]})
    assert answer.status_code == 202
    assert [each["state"] for each in await listed(api, symbol=symbol)] == ["filling"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"exchange": "nowhere"}, "unknown_exchange"),
        ({"timeframes": ["7m"]}, "unknown_timeframe"),
        ({"symbols": []}, "empty_list"),
        ({"tier": "one"}, "unknown_field"),
    ],
)
async def test_a_wish_that_cannot_be_meant_is_refused(api: Any, body: dict[str, Any], code: str):
    answer = await api.http.post("/gaps/fill", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"state": "lost"}, "invalid_value"),
        ({"cursor": "nonsense"}, "malformed_cursor"),
        ({"exchange": "nowhere"}, "unknown_exchange"),
    ],
)
async def test_a_list_that_cannot_be_meant_is_refused(api: Any, query: dict[str, str], code: str):
    answer = await api.http.get("/gaps", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_state_that_no_gap_has_is_one_error_that_names_all_states(api: Any):
    (error,) = (await api.http.get("/gaps", params={"state": "lost"})).json()["errors"]
    assert error["field"] == "state"
    for state in ("detected", "filling", "unfillable", "failed", "filled", "merged", "open", "any"):
        assert f"'{state}'" in error["detail"]


async def test_a_job_shows_how_complete_it_is_and_what_is_missing(api: Any):
    job, tasks = uuid4(), [uuid4(), uuid4()]
    submit = SubmitJobV1(
        job_id=job, exchange="binance", symbols=("A/B", "C/D"), timeframes=("1m",), start=T0,
        end=T0 + timedelta(days=1), submitted_by="t", submitted_at=datetime.now(UTC),
    )  # fmt: skip
    await say(api, submit)
    planned = [
        TaskPlannedV1(
            job_id=job, task_id=task, exchange="binance", symbol=symbol, timeframe="1m", start=T0,
            end=T0 + timedelta(days=1), route_reason="r", chunks_total=2, slots_expected=1440,
            slots_covered=0, planned_at=T0,
        )
        for task, symbol in zip(tasks, ("A/B", "C/D"), strict=True)
    ]  # fmt: skip
    ended = [
        TaskStateChangedV1(job_id=job, task_id=task, version=1, state=state, changed_at=T0)
        for task, state in zip(tasks, ("completed", "completed_with_errors"), strict=True)
    ]
    await say(api, *planned, *ended)
    before = (await api.http.get(f"/jobs/{job}")).json()
    assert (before["data_quality_score"], before["missing_periods"]) == (None, [])
    period = {"start": T0 + timedelta(minutes=3), "end": T0 + timedelta(minutes=15)}
    audits = [
        TaskAuditedV1(
            job_id=job, task_id=task, slots_expected=1440, slots_explained=1440 - unknown,
            slots_unknown=unknown, missing=missing, audited_at=T0,
        )
        for task, unknown, missing in zip(
            tasks, (0, 12), ((), (MissingPeriod(**period),)), strict=True
        )
    ]  # fmt: skip
    await say(api, *audits)
    after = (await api.http.get(f"/jobs/{job}")).json()
    assert after["data_quality_score"] == round(2868 / 2880, 6)
    shown = {
        "symbol": "C/D", "timeframe": "1m", "start": "2024-02-01T00:03:00Z",
        "end": "2024-02-01T00:15:00Z",
    }  # fmt: skip
    assert after["missing_periods"] == [shown]
    assert [task["data_quality_score"] for task in after["tasks"]] == [1.0, round(1428 / 1440, 6)]
    assert [task["missing_periods"] for task in after["tasks"]] == [[], [shown]]
    (in_list,) = [each for each in await api.jobs() if each["id"] == str(job)]
    assert in_list["missing_periods"] == [shown]
