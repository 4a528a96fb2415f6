"""`candlelog gaps` and `candlelog coverage` against a fake server, and the picture of coverage."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from candlelog_client.cli.coverage_picture import draw, worst_of_days
from candlelog_client.stored import CoverageRun

SERIES = ("--symbol", "BTC/USDT", "--timeframe", "1m")
GAP = {
    "id": "g-1", "exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1m",
    "start": "2024-02-01T00:00:00Z", "end": "2024-02-01T00:03:00Z", "slots": 3,
    "state": "detected", "job_id": None, "detected_at": "2024-03-01T00:00:00Z",
    "changed_at": "2024-03-01T00:00:00Z",
}  # fmt: skip
START = datetime(2024, 2, 1, tzinfo=UTC)


def run_of(state: str, first_day: float, last_day: float) -> CoverageRun:
    start, end = (START + timedelta(days=day) for day in (first_day, last_day))
    return CoverageRun(
        exchange="binance", symbol="BTC/USDT", timeframe="1m", start=start, end=end,
        slots=(end - start) // timedelta(minutes=1), state=state,
    )  # fmt: skip


def sent(api: Any, number: int = 0) -> dict[str, Any]:
    return json.loads(api.requests[number].content)


def delta(job: dict[str, Any]) -> dict[str, Any]:
    return {"type": "delta", "cursor": "1", "jobs": [job]}


async def test_the_client_lists_gaps_and_has_them_filled(client, api):
    api.say("GET /gaps", {"items": [GAP], "next": None})
    api.say("POST /gaps/g-1/fill", api.job(kind="gap_repair"), status=202)
    api.say("POST /gaps/fill", {"jobs": [api.job(), api.job()]}, status=202)
    async with client as c:
        (gap,) = [gap async for gap in c.gaps(symbol="BTC/USDT", state="failed")]
        assert (gap.id, gap.slots, gap.state) == ("g-1", 3, "detected")
        assert (await c.gaps.fill(gap.id)).kind == "gap_repair"
        assert len(await c.gaps.fill_all(symbols=["BTC/USDT"])) == 2
    assert dict(api.requests[0].url.params) == {
        "symbol": "BTC/USDT", "state": "failed", "limit": "500",
    }  # fmt: skip
    assert sent(api, 2) == {"symbols": ["BTC/USDT"]}


async def test_gaps_and_coverage_are_read_as_frames_too(client, api):
    run = run_of("unknown", 0, 3).model_dump(mode="json")
    api.say("GET /gaps", {"items": [GAP, GAP], "next": None})
    api.say("GET /coverage", {"items": [run], "next": None})
    async with client as c:
        gaps = await c.gaps().to_arrow()
        coverage = await c.coverage("binance", "BTC/USDT", "1m").to_pandas()
    assert gaps.num_rows == 2
    assert gaps["start"].to_pylist() == [START, START]
    assert str(gaps.schema.field("job_id").type) == "string"
    assert coverage["state"].to_list() == ["unknown"]
    assert coverage["slots"].to_list() == [3 * 1440]


def test_gaps_are_listed_with_their_state(command, api):
    api.say("GET /gaps", {"items": [GAP], "next": None})
    result = command("gaps", "list", "--exchange", "binance", "--state", "any")
    assert result.exit_code == 0, result.stderr
    assert "g-1  binance   BTC/USDT  1m" in result.stdout
    assert "detected" in result.stdout
    assert dict(api.requests[0].url.params)["state"] == "any"
    assert json.loads(command("gaps", "list", "--json").stdout)[0]["slots"] == 3


def test_without_a_gap_the_list_says_so(command, api):
    api.say("GET /gaps", {"items": [], "next": None})
    assert command("gaps", "list").stdout == "No gaps.\n"


def test_fill_sends_what_gaps_are_to_match(command, api):
    api.say("POST /gaps/fill", {"jobs": [api.job()]}, status=202)
    result = command("gaps", "fill", "--symbols", "BTC/USDT,ETH/USDT", "--timeframe", "1m")
    assert result.exit_code == 0, result.stderr
    assert sent(api) == {"symbols": ["BTC/USDT", "ETH/USDT"], "timeframes": ["1m"]}
    assert api.job_id in result.stdout


def test_fill_takes_ids_or_what_to_match_but_not_both(command, api):
    api.say("POST /gaps/g-1/fill", api.job(), status=202)
    assert command("gaps", "fill", "g-1").exit_code == 0
    assert command("gaps", "fill", "g-1", "--exchange", "binance").exit_code == 2
    assert len(api.requests) == 1


def test_nothing_to_fill_is_said_with_the_reason(command, api):
    api.answers["POST /gaps/fill"] = api.problem(409, "nothing_to_fill", "no gap that matches")
    result = command("gaps", "fill")
    assert (result.exit_code, "no gap that matches" in result.stderr) == (1, True)


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("completed_with_errors", 3)])
def test_fill_with_wait_ends_as_its_job_ends(command, api, feed, status: str, code: int):
    api.say("POST /gaps/fill", {"jobs": [api.job(status="pending")]}, status=202)
    api.say(f"GET /jobs/{api.job_id}", api.job())
    feed.connections = [[delta(api.job(status=status))]]
    result = command("gaps", "fill", "--wait", "--json")
    assert (result.exit_code, json.loads(result.stdout)[0]["status"]) == (code, status)


def test_a_job_that_was_audited_says_how_complete_it_is(command, api):
    api.say(f"GET /jobs/{api.job_id}", api.job(data_quality_score=0.9999))
    assert "complete  99.9 %" in command("jobs", "show", api.job_id).stdout
    api.say(f"GET /jobs/{api.job_id}", api.job())
    assert "complete  " not in command("jobs", "show", api.job_id).stdout


def test_coverage_is_drawn_or_listed(command, api):
    run = run_of("present", 0, 3).model_dump(mode="json")
    api.say("GET /coverage", {"items": [run], "next": None})
    drawn = command("coverage", "show", *SERIES, "--start", "2024-02-01")
    assert drawn.exit_code == 0, drawn.stderr
    assert "2024-02  ███" in drawn.stdout
    assert "present" in drawn.stdout
    listed = json.loads(command("coverage", "show", *SERIES, "--json").stdout)
    assert [(each["state"], each["slots"]) for each in listed] == [("present", 3 * 1440)]


def picture(*runs: CoverageRun) -> list[str]:
    screen = io.StringIO()
    Console(file=screen, width=100).print(draw(runs))
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def test_a_day_looks_as_its_worst_slot():
    days = worst_of_days(
        [run_of("present", 0, 1.5), run_of("outage", 1.5, 2), run_of("unknown", 2.9, 3)]
    )
    assert days == {
        date(2024, 2, 1): "present", date(2024, 2, 2): "outage", date(2024, 2, 3): "unknown",
    }  # fmt: skip


def test_months_are_rows_and_days_nobody_tells_of_are_blank():
    lines = picture(run_of("present", 3, 27), run_of("unknown", 27, 30), run_of("no_trade", 30, 61))
    assert lines[0].split() == ["1", "10", "20", "30"]
    assert lines[1] == "2024-02  " + "   " + "█" * 24 + "××"
    assert lines[2] == "2024-03  " + "×" + "▓" * 30
    assert lines[3] == "2024-04  " + "▓"


def test_a_run_fills_every_day_it_reaches_into():
    assert picture(run_of("outage", 0, 29))[1] == "2024-02  " + "▒" * 29


def test_the_legend_counts_the_slots_of_each_state_there_is():
    lines = picture(run_of("present", 0, 3), run_of("unknown", 3, 4))
    (present, unknown) = lines[-2:]
    assert present.split()[:4] == ["█", "present", "4,320", "75.0"]
    assert unknown.split()[:4] == ["×", "unknown", "1,440", "25.0"]


def test_of_a_series_nobody_asked_for_there_is_no_picture():
    assert picture() == ["Nothing was asked for, or nothing of that range has closed yet."]
