"""`candlelog replay` against a fake server."""

import json
from typing import Any

import httpx
import pytest

BUILD = {"version": 1, "build": 0, "state": "serving"}
SERIES: dict[str, Any] = {
    "exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1h", "old": BUILD,
    "new": {"version": 2, "build": 0, "state": "beside"},
    "difference": {
        "rows_compared": 8760, "rows_equal": 19, "rows_changed": 8741, "rows_only_old": 0,
        "rows_only_new": 2,
        "columns": [
            {"column": "trend", "rows_changed": 8741, "largest_relative_change": 0.0316},
            {"column": "strength", "rows_changed": 0, "largest_relative_change": None},
        ],
        "columns_only_old": [], "columns_only_new": ["momentum"],
    },
}  # fmt: skip
FEATURES = ("replay", "features", "BTC/USDT", "--timeframe", "1h", "--feature-set", "mine/2")


def replay(api: Any, *, switched: bool = False, **job: Any) -> dict[str, Any]:
    return {
        "job": api.job(kind="replay", **{"status": "completed", **job}), "kind": "features",
        "feature_set": "mine/2", "switched": switched, "series": [SERIES], "next": None,
    }  # fmt: skip


def delta(job: dict[str, Any]) -> dict[str, Any]:
    return {"type": "delta", "cursor": "1", "jobs": [job]}


def serve(api: Any, feed: Any, status: str = "completed", **changes: Any) -> str:
    """A server that completes the replay; its id."""
    job = api.job(kind="replay", status=status)
    api.say("POST /replays", job, status=202)
    api.say(f"GET /jobs/{job['id']}", job)
    feed.connections.append([delta(job)])
    api.say(f"GET /replays/{job['id']}", replay(api, status=status, **changes))
    return job["id"]


def test_features_follows_the_replay_and_shows_what_differs(command, api, feed):
    job_id = serve(api, feed)
    result = command(*FEATURES, "--start", "2024-02-01", "--label", "slower")
    assert result.exit_code == 0, result.stderr
    assert json.loads(api.requests[0].content) == {
        "kind": "features", "exchange": "binance", "symbols": ["BTC/USDT"], "timeframes": ["1h"],
        "feature_set": "mine/2", "start": "2024-02-01T00:00:00Z", "label": "slower",
    }  # fmt: skip
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "BTC/USDT 1h mine/1 build 0: serving mine/2 build 0: beside" in lines
    assert "BTC/USDT 1h 8,760 19 8,741 0 2" in lines
    assert "BTC/USDT 1h trend 8,741 0.0316" in lines
    assert "BTC/USDT 1h momentum only new –" in lines
    assert "strength" not in result.stdout
    assert f"candlelog replay switch {job_id}" in result.stderr


def test_features_with_json_prints_the_replay_and_nothing_else(command, api, feed):
    serve(api, feed)
    result = command(*FEATURES, "--json")
    found = json.loads(result.stdout)
    assert found["series"][0]["difference"]["rows_changed"] == 8741


def test_features_with_switch_switches_once_the_replay_is_completed(command, api, feed):
    job_id = serve(api, feed, switched=True)
    api.say(f"POST /replays/{job_id}/switch", replay(api, switched=True), status=202)
    result = command(*FEATURES, "--switch")
    assert result.exit_code == 0, result.stderr
    assert f"candlelog replay switch-back {job_id}" in result.stderr
    assert [r.method for r in api.requests if r.url.path.endswith("/switch")] == ["POST"]


def test_a_replay_that_failed_is_not_switched_to_and_says_so(command, api, feed):
    serve(api, feed, status="failed")
    result = command(*FEATURES, "--switch")
    assert result.exit_code == 4
    assert not [r for r in api.requests if r.url.path.endswith("/switch")]
    assert "give it up: candlelog replay close" in result.stderr


@pytest.mark.parametrize("what", ["switch", "switch-back", "close"])
def test_what_is_refused_is_said_with_its_reason(command, api, what):
    refused = api.problem(409, "superseded", "another one comes first")
    api.answers[f"POST /replays/r-1/{what}"] = refused
    result = command("replay", what, "r-1")
    assert (result.exit_code, "another one comes first" in result.stderr) == (1, True)


async def test_the_client_reads_all_series_of_a_replay(client, api):
    first = {**replay(api, switched=True), "next": "abc"}
    api.first = [httpx.Response(200, json=first)]
    api.say("GET /replays/r-1", {**replay(api), "series": [SERIES, SERIES]})
    async with client as c:
        found = await c.replays.get("r-1")
    assert (len(found.series), found.switched) == (3, False)
    assert api.requests[1].url.params["cursor"] == "abc"
