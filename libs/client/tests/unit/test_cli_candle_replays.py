"""`candlelog replay candles` against a fake server."""

import json
from typing import Any

import pytest

from candlelog_client.cli.progress_view import candles
from candlelog_client.results import Job

COMPARISON = {
    "series_compared": 3, "series_different": 1, "rows_compared": 1200, "rows_equal": 1180,
    "rows_changed": 20, "rows_only_live": 4, "rows_only_shadow": 0,
    "series": [
        {
            "exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1m", "rows_equal": 1,
            "rows_changed": 20, "rows_only_live": 4, "rows_only_shadow": 0,
            "first": "2024-02-01T00:01:00Z", "last": "2024-02-01T00:30:00Z",
            "columns": [
                {"column": "open", "largest_relative_change": 0.1},
                {"column": "close", "largest_relative_change": 0.5},
            ],
        }
    ],
}  # fmt: skip


def replay(job: dict[str, Any], **changes: Any) -> dict[str, Any]:
    parts = {"records_read": 5, "records_total": 9, "answers_copied": 1, "answers_total": 2}
    return {
        "job": job, "kind": "candles", "switched": False, "closed": False, "parts": parts,
        "comparison": None, **changes,
    }  # fmt: skip


def ended(api: Any, status: str = "completed") -> dict[str, Any]:
    return api.job(kind="replay", status=status, features=False)


def delta(job: dict[str, Any]) -> dict[str, Any]:
    return {"type": "delta", "cursor": "1", "jobs": [job]}


@pytest.fixture
def told(api, feed) -> dict[str, Any]:
    """A replay that is submitted and ends at once, with differences."""
    job = ended(api)
    api.say("POST /replays", api.job(id=job["id"], kind="replay"), status=202)
    api.say(f"GET /jobs/{job['id']}", job)
    api.say(f"GET /replays/{job['id']}", replay(job, comparison=COMPARISON))
    feed.connections = [[delta(job)], [delta(job)]]
    return job


def test_a_replay_is_submitted_followed_and_compared(command, api, told):
    result = command("replay", "candles")
    assert result.exit_code == 0, result.output
    posted = next(each for each in api.requests if each.method == "POST")
    assert json.loads(posted.content) == {"kind": "candles"}
    for text in ("1,180", "BTC/USDT", "close 0.5", f"candlelog replay switch {told['id']}"):
        assert text in result.output


def test_one_exchange_may_be_compared_alone(command, api, told):
    command("replay", "candles", "--exchange", "binance")
    (asked,) = [each for each in api.requests if "/replays/" in each.url.path]
    assert dict(asked.url.params) == {"exchange": "binance"}


def test_it_is_switched_to_only_when_asked(command, api, told):
    assert not json.loads(command("replay", "candles", "--json").stdout)["switched"]
    assert all("switch" not in each.url.path for each in api.requests)
    api.say(f"POST /replays/{told['id']}/switch", replay(told, switched=True), status=202)
    shown = json.loads(command("replay", "candles", "--switch", "--json").stdout)
    assert (shown["switched"], shown["comparison"]["rows_changed"]) == (True, 20)


@pytest.mark.parametrize(
    ("status", "changes", "text"),
    [
        ("running", {}, "5 of 9 records read"),
        ("completed", {"switched": True}, "candlelog replay switch-back"),
        ("completed", {"closed": True}, "the replay is closed"),
        ("completed", {"shadow_missing": True}, "The shadow of the candles is gone"),
        ("completed", {"shadow_missing": True}, "candlelog replay close"),
        ("failed", {}, "the replay is failed"),
        (
            "completed",
            {"comparison": {**COMPARISON, "series": [], "series_different": 0}},
            "No candle differs.",
        ),
    ],
)
def test_show_says_how_it_stands(command, api, status, changes, text):
    job = ended(api, status)
    api.say(f"GET /replays/{job['id']}", replay(job, **changes))
    assert text in command("replay", "show", job["id"]).output


def test_a_step_says_what_can_be_done_next(command, api):
    job = ended(api)
    api.say(f"POST /replays/{job['id']}/close", replay(job, closed=True), status=202)
    assert "the replay is closed" in command("replay", "close", job["id"]).output


def test_of_a_replay_its_parts_are_counted_not_candles_of_none(command, api, feed):
    figures = {
        "kind": "replay", "candles_expected": 0, "candles_stored": 791184, "chunks_done": 7,
        "chunks_total": 24, "features": False,
    }  # fmt: skip
    job = api.job(**figures)
    api.say(f"GET /jobs/{job['id']}", job)
    feed.connections = [[delta(job), delta({**job, "status": "completed"})]]
    shown = command("jobs", "watch", job["id"]).stderr
    assert "running  50.0 %  7 of 24 parts  ETA 2s" in shown
    assert "candles" not in shown


def test_the_bar_of_a_replay_counts_its_parts(api):
    replay = Job.model_validate(
        api.job(kind="replay", candles_expected=0, candles_stored=9, chunks_done=7, chunks_total=24)
    )
    assert candles(replay) == "7 of 24 parts  "
