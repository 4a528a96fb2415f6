"""Jobs over REST, on the real stores."""

import asyncio
import base64
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest

from candlelog.events.event import Event
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.jobs import PlanJobV1, SteerJob, SubmitJobV1
from candlelog.events.progress import (
    CommandAnsweredV1,
    JobStateChangedV1,
    PlanAnsweredV1,
    PlanTaskAnsweredV1,
)
from candlelog.log.receive import receive

pytestmark = pytest.mark.connected


async def test_a_submitted_job_is_pending_and_visible_at_once(api: Any, body: dict[str, Any]):
    answer = await api.http.post("/jobs", json=body)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["status"], job["symbols"], job["progress_pct"]) == ("pending", ["BTC/USDT"], 0)
    again = await api.http.get(f"/jobs/{job['id']}")
    assert again.status_code == 200
    assert again.json()["id"] == job["id"]
    (command,) = await api.commands()
    assert isinstance(command, SubmitJobV1)
    assert (str(command.job_id), command.submitted_by) == (job["id"], "author")
    assert command.start == datetime(2024, 2, 1, tzinfo=UTC)
    assert (command.features, command.feature_sets) == (True, (DEFAULT,))
    assert (job["features"], job["feature_sets"]) == (True, ["default/1"])


async def test_a_job_without_features_asks_for_no_set(api: Any, body: dict[str, Any]):
    job = (await api.http.post("/jobs", json={**body, "features": False})).json()
    (command,) = await api.commands()
    assert (command.features, command.feature_sets) == (False, ())
    assert (job["features"], job["feature_sets"]) == (False, [])
    assert "features" not in [step["name"] for step in job["steps"]]


async def test_the_same_key_and_body_are_one_job_on_every_replica_and_after_a_restart(
    serve: Any, api: Any, second: Any, body: dict[str, Any]
):
    del body["end"]
    headers = {"Idempotency-Key": "nightly"}
    posts = [
        replica.http.post("/jobs", json=body, headers=headers)
        for replica in (api, second, api, second)
    ]
    answers = await asyncio.gather(*posts)
    assert [answer.status_code for answer in answers] == [202] * 4
    third = await serve()
    answers.append(await third.http.post("/jobs", json=body, headers=headers))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await api.jobs()) == 1


async def test_the_same_key_with_another_body_is_a_conflict(api: Any, body: dict[str, Any]):
    headers = {"Idempotency-Key": "k"}
    first = await api.http.post("/jobs", json=body, headers=headers)
    other = await api.http.post("/jobs", json={**body, "label": "x"}, headers=headers)
    assert (first.status_code, other.status_code) == (202, 409)
    assert other.json()["code"] == "idempotency_conflict"
    assert len(await api.commands()) == 1


async def test_two_bodies_racing_for_one_key_make_one_job_and_one_conflict(
    api: Any, second: Any, body: dict[str, Any]
):
    headers = {"Idempotency-Key": "race"}
    answers = await asyncio.gather(
        api.http.post("/jobs", json=body, headers=headers),
        second.http.post("/jobs", json={**body, "label": "x"}, headers=headers),
    )
    assert sorted(answer.status_code for answer in answers) == [202, 409]
    (job,) = await api.jobs()
    winner = next(answer for answer in answers if answer.status_code == 202)
    assert job["label"] == winner.json()["label"]


async def test_jobs_are_listed_newest_first_in_pages_and_by_filter(api: Any, body: dict[str, Any]):
    ids: list[str] = []
    for number in range(5):
        symbols = ["ETH/USDT"] if number % 2 else ["BTC/USDT"]
        answer = await api.http.post("/jobs", json={**body, "symbols": symbols})
        ids.append(answer.json()["id"])
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2, "since": api.began.isoformat()} | (
            {"cursor": cursor} if cursor else {}
        )
        page = (await api.http.get("/jobs", params=query)).json()
        assert "tasks" not in page["items"][0]
        seen += [job["id"] for job in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ids[::-1]
    ether = await api.jobs(symbol="ETH/USDT")
    assert [job["id"] for job in ether] == [ids[3], ids[1]]
    assert await api.jobs(status="running") == []
    assert len(await api.jobs(status="pending", kind="backfill")) == 5
    future = await api.http.get("/jobs", params={"since": "2100-01-01"})
    assert future.json() == {"items": [], "next": None}


@asynccontextmanager
async def coordinator(
    served: Any, answer: Any, *, of: type[Event] = SteerJob
) -> AsyncIterator[None]:
    """Answers commands on the log as a coordinator would."""

    async def work() -> None:
        async with served.log.tail([f"{served.prefix}jobs.commands"], start=served.begin) as tail:
            while True:
                for record in await tail.poll(max_records=100, timeout=0.2):
                    event = receive(record).event
                    if isinstance(event, of):
                        await served.publisher.publish(*answer(event))

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


STATES: dict[str, Any] = {
    "cancel": "cancelled", "pause": "paused", "resume": "queued", "retry": "queued",
    "delete": "deleted",
}  # fmt: skip


def consent(command: SteerJob) -> list[Any]:
    now = datetime.now(UTC)
    return [
        JobStateChangedV1(
            job_id=command.job_id, version=1, generation=1, state=STATES[command.action],
            changed_at=now,
        ),
        CommandAnsweredV1(
            job_id=command.job_id, correlation_id=command.correlation_id, command=command.action,
            accepted=True, code="accepted", reason="it is done", answered_at=now,
        ),
    ]  # fmt: skip


def refuse(code: str) -> Any:
    return lambda command: [
        CommandAnsweredV1(
            job_id=command.job_id, correlation_id=command.correlation_id, command=command.action,
            accepted=False, code=code, reason="it has ended", answered_at=datetime.now(UTC),
        )
    ]  # fmt: skip


async def test_a_cancelled_job_is_cancelled_on_every_replica_when_the_answer_comes(
    api: Any, second: Any, body: dict[str, Any]
):
    job = (await api.http.post("/jobs", json=body)).json()
    async with coordinator(api, consent):
        answer = await second.http.post(f"/jobs/{job['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    assert (await api.http.get(f"/jobs/{job['id']}")).json()["status"] == "cancelled"


@pytest.mark.parametrize(("code", "status"), [("invalid_transition", 409), ("unknown_job", 404)])
async def test_a_refused_cancel_gives_the_coordinators_reason(
    api: Any, body: dict[str, Any], code: str, status: int
):
    job = (await api.http.post("/jobs", json=body)).json()
    async with coordinator(api, refuse(code)):
        answer = await api.http.post(f"/jobs/{job['id']}/cancel", json={})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"] == "it has ended"


def planned(wanted: PlanJobV1) -> list[Any]:
    job = wanted.job
    tasks = [
        PlanTaskAnsweredV1(
            job_id=job.job_id, symbol=symbol, timeframe="1m", route="rest", route_reason="r",
            start=job.start, end=job.end, slots_expected=500, slots_covered=0, requests=300,
            pieces=2,
        )
        for symbol in job.symbols
    ]  # fmt: skip
    return [
        *tasks,
        PlanAnsweredV1(
            job_id=job.job_id, series=len(tasks), slots_expected=1000, requests=600,
            weight=1200, answered_at=datetime.now(UTC),
        ),
    ]  # fmt: skip


async def test_a_plan_tells_series_and_time_and_makes_no_job(
    api: Any, second: Any, body: dict[str, Any]
):
    before = await api.jobs()
    async with coordinator(api, planned, of=PlanJobV1):
        answer = await second.http.post("/jobs/plan", json=body)
    plan = answer.json()
    assert (answer.status_code, plan["requests"], plan["weight"]) == (200, 600, 1200)
    assert (plan["capacity_per_minute"], plan["seconds"] <= 12) == (6000, True)
    assert [task["symbol"] for task in plan["tasks"]] == body["symbols"]
    assert await api.jobs() == before


async def test_a_plan_that_the_coordinator_refuses_has_its_reason(api: Any, body: dict[str, Any]):
    def refusal(wanted: PlanJobV1) -> list[Any]:
        now = datetime.now(UTC)
        return [PlanAnsweredV1(job_id=wanted.job.job_id, refused="why not", answered_at=now)]

    async with coordinator(api, refusal, of=PlanJobV1):
        answer = await api.http.post("/jobs/plan", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (422, "why not")


async def test_a_plan_of_an_invalid_request_is_refused_like_the_job(api: Any, body: dict[str, Any]):
    answer = await api.http.post("/jobs/plan", json=changed(body, timeframes=["7m"]))
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_timeframe")


async def test_a_plan_nobody_answers_says_so(
    api: Any, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("status_api.handlers.plans._WAIT_SECONDS", 0.3)
    answer = await api.http.post("/jobs/plan", json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_answered")


async def test_more_plans_than_a_replica_makes_at_a_time_are_refused_at_once(
    api: Any, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("status_api.handlers.plans._WAIT_SECONDS", 3)
    answers = await asyncio.gather(*(api.http.post("/jobs/plan", json=body) for _ in range(6)))
    assert Counter(answer.json()["code"] for answer in answers) == {
        "not_answered": 4, "too_many_plans": 2,
    }  # fmt: skip


async def deleted(api: Any, body: dict[str, Any], **headers: str) -> Any:
    """The answer to a deletion, of a job that was made for it."""
    job = (await api.http.post("/jobs", json=body, headers=headers)).json()
    async with coordinator(api, consent):
        return await api.http.delete(f"/jobs/{job['id']}")


async def test_a_deleted_job_is_told_once_more_and_then_found_nowhere(
    api: Any, second: Any, body: dict[str, Any]
):
    answer = await deleted(api, body)
    job = answer.json()
    assert (answer.status_code, job["status"]) == (202, "deleted")
    assert job["tasks_total"] is not None
    for path in (f"/jobs/{job['id']}", f"/jobs/{job['id']}/tasks"):
        assert (await second.http.get(path)).status_code == 404
    listed = (await second.http.get("/jobs")).json()["items"]
    assert job["id"] not in {each["id"] for each in listed}


async def test_a_refused_deletion_gives_the_coordinators_reason(api: Any, body: dict[str, Any]):
    job = (await api.http.post("/jobs", json=body)).json()
    async with coordinator(api, refuse("invalid_transition")):
        answer = await api.http.delete(f"/jobs/{job['id']}")
    assert (answer.status_code, answer.json()["detail"]) == (409, "it has ended")
    assert (await api.http.get(f"/jobs/{job['id']}")).status_code == 200


async def test_the_key_of_a_deleted_job_makes_no_other(api: Any, body: dict[str, Any]):
    key = {"Idempotency-Key": "mine"}
    await deleted(api, body, **key)
    answer = await api.http.post("/jobs", json=body, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (409, "job_deleted")


async def test_a_deletion_is_of_a_whole_job(api: Any, body: dict[str, Any]):
    job = (await api.http.post("/jobs", json=body)).json()
    answer = await api.http.post(f"/jobs/{job['id']}/delete", json={"symbols": ["BTC/USDT"]})
    assert answer.status_code == 422


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
async def test_every_action_is_a_command_that_says_which_tasks_are_meant(
    api: Any, body: dict[str, Any], action: str
):
    job = (await api.http.post("/jobs", json=body)).json()
    task = str(uuid.uuid4())
    async with coordinator(api, consent):
        path, which = f"/jobs/{job['id']}/{action}", {"symbols": ["BTC/USDT"], "tasks": [task]}
        answer = await api.http.post(path, json=which)
    assert (answer.status_code, answer.json()["status"]) == (202, STATES[action])
    [command] = [each for each in await api.commands() if isinstance(each, SteerJob)]
    assert (command.action, command.symbols) == (action, ("BTC/USDT",))
    assert command.tasks == (uuid.UUID(task),)


@pytest.mark.parametrize("which", [{"symbols": []}, {"tasks": ["x"]}, {"symbol": ["BTC/USDT"]}])
async def test_a_choice_of_tasks_that_cannot_be_is_refused(
    api: Any, body: dict[str, Any], which: dict[str, Any]
):
    job = (await api.http.post("/jobs", json=body)).json()
    answer = await api.http.post(f"/jobs/{job['id']}/pause", json=which)
    assert answer.status_code == 422


async def test_many_jobs_are_decided_one_by_one(api: Any, body: dict[str, Any]):
    first, second = [(await api.http.post("/jobs", json=body)).json()["id"] for _ in range(2)]

    def answer(command: SteerJob) -> list[Any]:
        accepts = str(command.job_id) == first
        return consent(command) if accepts else refuse("invalid_transition")(command)

    jobs = [first, second, "nonsense"]
    async with coordinator(api, answer):
        answered = await api.http.post("/jobs/actions", json={"action": "pause", "jobs": jobs})
    results = [(r["job_id"], r["accepted"], r["code"]) for r in answered.json()["results"]]
    assert results == [
        (first, True, "accepted"),
        (second, False, "invalid_transition"),
        ("nonsense", False, "unknown_job"),
    ]


async def test_a_cancel_nobody_answers_says_so(
    api: Any, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    job = (await api.http.post("/jobs", json=body)).json()
    monkeypatch.setattr("status_api.handlers.steering._WAIT_SECONDS", 0.3)
    answer = await api.http.post(f"/jobs/{job['id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_answered")


async def test_markets_that_are_unknown_are_asked_for_once(
    api: Any,
    body: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("status_api.handlers.markets._WAIT_SECONDS", 0.5)
    monkeypatch.setattr(api.markets, "_symbols", {})
    answers = await asyncio.gather(*(api.http.post("/jobs", json=body) for _ in range(2)))
    assert {answer.json()["code"] for answer in answers} == {"markets_unavailable"}
    assert {type(each).__name__ for each in await api.commands()} == {"ListMarketsV1"}


def changed(body: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**body, **fields}


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"exchange": "binanse"}, "unknown_exchange"),
    ({"symbols": ["BTCUSDT"]}, "unknown_symbol"),
    ({"symbols": ["'; DROP TABLE jobs; --"]}, "unknown_symbol"),
    ({"symbols": ["BTC/USDT\u202e"]}, "invalid_value"),
    ({"symbols": ["BTC\0USDT"]}, "invalid_value"),
    ({"symbols": []}, "empty_list"),
    ({"symbols": ["BTC/USDT"] * 1001}, "too_many_items"),
    ({"timeframes": ["7m"]}, "unknown_timeframe"),
    ({"start": "2024-02-03"}, "invalid_range"),
    ({"start": "1999-01-01"}, "too_early"),
    ({"start": "soon"}, "malformed_time"),
    ({"end": "2999-01-01"}, "end_in_future"),
    ({"feature_sets": ["defualt"]}, "unknown_feature_set"),
    ({"feature_sets": ["default"], "features": False}, "invalid_value"),
    ({"feature_sets": []}, "empty_list"),
    ({"tier": "TIER1"}, "not_available"),
    ({"surprise": 1}, "unknown_field"),
    ({"priority": 10**30}, "invalid_value"),
    ({"label": {"a": 1}}, "invalid_value"),
]
BAD_KEYS = ["", "x" * 201, "\u00e9", "tab\tkey"]


async def test_invalid_requests_are_refused_with_a_stable_code_and_nothing_is_published(
    api: Any, body: dict[str, Any]
):
    for fields, code in INVALID:
        answer = await api.http.post("/jobs", json=changed(body, **fields))
        assert (answer.status_code, answer.json()["code"]) == (422, code), fields
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"][0]["code"] == code
    for key in BAD_KEYS:
        headers = {"Idempotency-Key": key.encode("latin-1")}
        answer = await api.http.post("/jobs", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_value"), key
    del body["exchange"]
    answer = await api.http.post("/jobs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "missing_field")
    assert await api.commands() == []
    assert await api.jobs() == []


NO_REQUESTS = [
    b"{",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"priority": ' + b"9" * 5000 + b"}",
    b'{"\\ud800": 1}',
    b"null",
    b"7",
    b"[]",
    b"",
]


async def test_what_is_no_request_at_all_is_refused(api: Any):
    codes = {"malformed_json", "invalid_value", "unknown_field", "missing_field"}
    for content in NO_REQUESTS:
        headers = {"Content-Type": "application/json"}
        answer = await api.http.post("/jobs", content=content, headers=headers)
        assert answer.status_code == 422, content[:20]
        assert answer.json()["code"] in codes
        assert answer.json()["errors"][0]["code"] == answer.json()["code"], content[:20]
    assert await api.commands() == []


async def test_a_body_over_one_mebibyte_is_refused_also_when_its_length_is_not_said(api: Any):
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 65536

    whole = await api.http.post("/jobs", content=b" " * (2 << 20))
    chunked = await api.http.post("/jobs", content=endless())
    for answer in (whole, chunked):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert answer.headers["content-type"] == "application/problem+json"


OUT_OF_TIME = base64.urlsafe_b64encode(
    orjson.dumps(["j", "9999-12-31T23:59:59-14:00", str(uuid.UUID(int=0))])
).decode()
NOT_FOUND = [
    ("GET", "/jobs/not-an-id", 404, "unknown_job"),
    ("GET", f"/jobs/{uuid.uuid4()}", 404, "unknown_job"),
    ("GET", f"/jobs/{uuid.uuid4()}/tasks", 404, "unknown_job"),
    ("GET", f"/jobs/{uuid.uuid4()}/events", 404, "unknown_job"),
    ("POST", f"/jobs/{uuid.uuid4()}/cancel", 404, "unknown_job"),
    ("GET", "/nowhere", 404, "not_found"),
    ("PUT", "/jobs", 405, "method_not_allowed"),
    ("GET", "/jobs?cursor=abc", 422, "malformed_cursor"),
    ("GET", f"/jobs?cursor={OUT_OF_TIME}", 422, "malformed_cursor"),
    ("GET", "/jobs?limit=0", 422, "invalid_value"),
    ("GET", "/jobs?limit=99999999999999999999999", 422, "invalid_value"),
    ("GET", "/jobs?status=lost", 422, "invalid_value"),
    ("GET", "/jobs?symbol=%00", 422, "invalid_value"),
    ("GET", "/jobs?since=soon", 422, "malformed_time"),
]


async def test_every_wrong_turn_is_a_problem_with_a_stable_code(api: Any):
    for method, path, status, code in NOT_FOUND:
        answer = await api.http.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path
        assert answer.headers["content-type"] == "application/problem+json"
    assert await api.commands() == []


async def test_tokens_and_scopes_are_asked_for_everywhere(api: Any, body: dict[str, Any]):
    async with httpx.AsyncClient(base_url=f"{api.url}/api/v1", trust_env=False) as http:

        async def status(token: str | None, method: str, path: str, **options: Any) -> int:
            headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
            return (await http.request(method, path, headers=headers, **options)).status_code

        assert await status(None, "GET", "/jobs") == 401
        assert await status("wrong", "GET", "/jobs") == 401
        assert await status("wrong", "POST", "/jobs", content=b"{") == 401
        assert await status("r-secret", "GET", "/jobs") == 200
        assert await status("r-secret", "POST", "/jobs", json=body) == 403
        assert await status("a-secret", "POST", "/jobs", json=body) == 202
        assert await status(None, "GET", "/jobs?token=r-secret") == 401
    assert len(await api.commands()) == 1


async def test_the_rest_of_the_pages_answer(api: Any):
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as http:
        for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
            assert (await http.get(path)).status_code == 200, path
        document = (await http.get("/openapi.json")).json()
        await api.http.get(f"/jobs/{uuid.uuid4()}")
        metrics = (await http.get("/metrics")).text
    assert 'candlelog_http_seconds_count{method="GET",route="/jobs/{job_id}"' in metrics
    assert "/api/v1/jobs/{job_id}/{action}" in document["paths"]
    health = (await api.http.get("/health")).json()
    assert {each["name"]: each["state"] for each in health["components"]}["postgres"] == "healthy"
    assert (await api.http.get("/limits")).json() == {"items": [], "next": None}
