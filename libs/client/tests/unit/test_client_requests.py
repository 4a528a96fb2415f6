"""Requests of the client: token, retries, errors."""

import httpx
import pytest

from candlelog_client import Candlelog
from candlelog_client.errors import (
    Conflict,
    NotConfigured,
    NotFound,
    Refused,
    ServerProblem,
    Unauthorized,
    Unreachable,
)

REQUEST = {"exchange": "binance", "symbols": ["BTC/USDT"], "timeframes": ["1m"]}


async def test_a_read_is_asked_again_after_a_passing_fault(client, api):
    api.first = [httpx.ConnectError("refused"), httpx.Response(503, content=b"starting")]
    api.say(f"GET /jobs/{api.job_id}", api.job())
    job = await client.jobs.get(api.job_id)
    assert job.candles_stored == 50
    assert len(api.requests) == 3


async def test_a_server_that_stays_away_is_unreachable(client, api):
    api.first = [httpx.ConnectError("refused")] * 3
    with pytest.raises(Unreachable, match=r"http://candlelog\.test cannot be reached"):
        await client.jobs.get(api.job_id)


async def test_a_repeated_submission_carries_the_same_key(client, api):
    api.first = [httpx.ReadTimeout("slow")]
    api.say("POST /jobs", api.job(), status=202)
    await client.jobs.submit(**REQUEST)
    first, second = (request.headers["Idempotency-Key"] for request in api.requests)
    assert first == second


async def test_two_submissions_carry_different_keys(client, api):
    api.say("POST /jobs", api.job(), status=202)
    await client.jobs.submit(**REQUEST)
    await client.jobs.submit(**REQUEST)
    first, second = (request.headers["Idempotency-Key"] for request in api.requests)
    assert first != second


async def test_a_cancel_is_sent_once(client, api):
    api.first = [httpx.ReadTimeout("slow")]
    with pytest.raises(Unreachable):
        await client.jobs.cancel(api.job_id)
    assert len(api.requests) == 1


async def test_a_time_without_an_offset_is_sent_as_utc(client, api):
    api.say("POST /jobs", api.job(), status=202)
    await client.jobs.submit(**REQUEST, start="2024-02-01", end="2024-03-01T01:00:00+01:00")
    body = httpx.Response(200, content=api.requests[0].content).json()
    assert (body["start"], body["end"]) == ("2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z")


async def test_what_is_no_time_reaches_the_server_as_it_is(client, api):
    api.say("POST /jobs", api.job(), status=202)
    await client.jobs.submit(**REQUEST, start="yesterday")
    body = httpx.Response(200, content=api.requests[0].content).json()
    assert body["start"] == "yesterday"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Unauthorized),
        (403, Unauthorized),
        (404, NotFound),
        (409, Conflict),
        (413, Refused),
        (422, Refused),
        (500, ServerProblem),
    ],
)
async def test_a_problem_becomes_one_error_with_its_code(client, api, status, error):
    api.first = [api.problem(status, "some_code", "the reason")] * 3
    with pytest.raises(error, match="the reason") as caught:
        await client.jobs.get(api.job_id)
    assert (caught.value.status, caught.value.code) == (status, "some_code")


async def test_a_refusal_names_field_and_nearest_names(client, api):
    fault = {
        "field": "symbols[0]",
        "code": "unknown_symbol",
        "detail": "no BTC/USD",
        "nearest": ["BTC/USDT"],
    }
    api.first = [api.problem(422, "unknown_symbol", "bad input", errors=[fault])]
    with pytest.raises(Refused, match=r"symbols\[0\]: no BTC/USD \(nearest: BTC/USDT\)"):
        await client.jobs.submit(**REQUEST)


async def test_an_answer_of_some_other_server_is_said_to_be_one(client, api):
    api.first = [httpx.Response(200, content=b"<html>")]
    with pytest.raises(ServerProblem, match="not as Candlelog does"):
        await client.health()


async def test_an_id_cannot_leave_its_place_in_the_path(client, api):
    with pytest.raises(NotFound):
        await client.jobs.get("limits?all")
    assert api.requests[0].url.raw_path == b"/api/v1/jobs/limits%3Fall"


async def test_a_list_is_walked_page_by_page_up_to_the_limit(client, api):
    def page(request: httpx.Request) -> httpx.Response:
        cursor = int(request.url.params.get("cursor", 0))
        size = int(request.url.params["limit"])
        items = [api.job(label=str(cursor + n)) for n in range(min(size, 2))]
        return httpx.Response(200, json={"items": items, "next": str(cursor + len(items))})

    api.answers["GET /jobs"] = page
    labels = [job.label async for job in client.jobs.list(limit=5)]
    assert labels == ["0", "1", "2", "3", "4"]
    assert [request.url.params["limit"] for request in api.requests] == ["5", "3", "1"]


def test_without_an_address_the_client_says_what_to_set(monkeypatch):
    monkeypatch.delenv("CANDLELOG_API_URL", raising=False)
    with pytest.raises(NotConfigured, match="CANDLELOG_API_URL"):
        Candlelog()


async def test_a_client_in_use_closes_its_connections(client, api):
    api.say("GET /health", {"status": "healthy"})
    async with client:
        health = await client.health()
    assert health.status == "healthy"


async def test_limits_are_one_list_that_takes_no_query(client, api):
    api.say("GET /limits", {"items": [{"budget": "binance|default|REQUEST_WEIGHT"}], "next": None})
    assert [limit.budget for limit in await client.limits()] == ["binance|default|REQUEST_WEIGHT"]
    assert api.requests[0].url.query == b""
