"""The command line against a fake server: output, exit codes, where it finds the system."""

import io
import json
import signal
import subprocess
import sys
from datetime import datetime, timedelta

import httpx
import pyarrow as pa
import pyarrow.csv
import pytest
from pyarrow import feather
from pyarrow import parquet as pq

from candlelog.clock import SystemClock
from candlelog_embedded import system

CSV = (
    "exchange,symbol,timeframe,open_time,open,high,low,close,volume,quote_volume,trades,source,observed_at\n"
    "binance,BTC/USDT,1m,2024-02-01T00:00:00Z,1,2,0.5,1.5,7,,,rest,2024-03-01T00:00:00Z\n"
    "binance,BTC/USDT,1m,2024-02-01T00:01:00Z,1.5,2,0.5,2.5,7,,,rest,2024-03-01T00:00:00Z\n"
)
SERIES = ("--symbol", "BTC/USDT", "--timeframe", "1m")
KEY = {"exchange": "e", "symbol": "s", "timeframe": "1m", "open_time": "2024-02-01T00:00:00Z"}
LINES = CSV.splitlines(keepends=True)
SUBMIT = ("jobs", "submit", "--symbols", "BTC/USDT", "--timeframes", "1m")


def arrow(text: str) -> bytes:
    """What the server sends as Arrow where it sends this as CSV."""
    table = pyarrow.csv.read_csv(io.BytesIO(text.encode()))
    at = table.schema.get_field_index("open_time")
    times = table["open_time"].cast(pa.timestamp("ms", "UTC"))
    table = table.set_column(at, "open_time", times)
    with pa.ipc.new_stream(sink := io.BytesIO(), table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def delta(job: dict) -> dict:
    return {"type": "delta", "cursor": "1", "jobs": [job]}


def sent(api) -> dict:
    return json.loads(api.requests[0].content)


def test_submit_sends_the_fields_of_the_body_that_were_given(command, api):
    api.say("POST /jobs", api.job(), status=202)
    result = command(
        "jobs", "submit", "--exchange", "binance", "--symbols", "BTC/USDT,ETH/USDT",
        "--symbol", "SOL/USDT", "--timeframes", "1m,1h", "--since", "30d", "--source", "rest",
        "--no-incremental", "--features", "--feature-set", "default,mine", "--feature-set", "b",
        "--priority", "7", "--max-attempts", "2",
        "--label", "mine",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert sent(api) == {
        "exchange": "binance",
        "symbols": ["BTC/USDT", "ETH/USDT", "SOL/USDT"],
        "timeframes": ["1m", "1h"],
        "lookback": "30d",
        "source": "rest",
        "incremental": False,
        "features": True,
        "feature_sets": ["default", "mine", "b"],
        "priority": 7,
        "max_attempts": 2,
        "label": "mine",
    }


PLAN = {
    "exchange": "binance", "tasks_total": 1, "candles_expected": 41760, "candles_covered": 760,
    "requests": 41, "feature_pieces": 2, "weight": 82.0, "capacity_per_minute": 6000.0,
    "seconds": 0.8,
    "tasks": [
        {
            "symbol": "BTC/USDT", "timeframe": "1m", "route": "rest", "route_reason": "why",
            "start": "2024-02-01T00:00:00Z", "end": "2024-03-01T00:00:00Z",
            "candles_expected": 41760, "candles_covered": 760, "requests": 41,
            "files": 3, "missing_files": ["a/b.zip"], "missing_files_total": 1,
            "feature_pieces": 2,
        }
    ],
}  # fmt: skip


@pytest.mark.parametrize("words", [("plan",), ("submit", "--dry-run")])
def test_a_plan_is_shown_and_nothing_is_submitted(command, api, words):
    api.say("POST /jobs/plan", PLAN)
    asked = (*SUBMIT[2:], "--start", "2024-02-01")
    result = command("jobs", *words, *asked)
    assert result.exit_code == 0, result.stderr
    assert "41 (weight 82)" in result.stdout
    assert "a/b.zip" in result.stdout
    assert json.loads(command("jobs", *words, *asked, "--json").stdout) == PLAN
    assert {request.url.path for request in api.requests} == {"/api/v1/jobs/plan"}


@pytest.mark.parametrize("words", [("--wait",), ("--idempotency-key", "mine")])
def test_what_a_plan_cannot_do_is_refused(command, api, words):
    result = command(*SUBMIT, "--start", "2024-02-01", "--dry-run", *words)
    assert (result.exit_code, "--dry-run makes no job" in result.stderr) == (2, True)
    assert not api.requests


def test_a_deleted_job_is_shown_once_more(command, api):
    api.say("DELETE /jobs/1", api.job(status="deleted"), status=202)
    result = command("jobs", "delete", "1")
    assert (result.exit_code, "deleted" in result.stdout) == (0, True)


def test_submit_without_features_says_so(command, api):
    api.say("POST /jobs", api.job(), status=202)
    command(*SUBMIT, "--start", "2024-02-01", "--no-features")
    assert sent(api)["features"] is False


def test_submit_leaves_to_the_server_what_was_not_given(command, api):
    api.say("POST /jobs", api.job(), status=202)
    command(*SUBMIT, "--start", "2024-02-01")
    assert sent(api) == {
        "exchange": "binance",
        "symbols": ["BTC/USDT"],
        "timeframes": ["1m"],
        "start": "2024-02-01T00:00:00Z",
    }


def test_submit_sends_the_idempotency_key_it_was_given(command, api):
    api.say("POST /jobs", api.job(), status=202)
    command(*SUBMIT, "--lookback", "1d", "--idempotency-key", "mine")
    assert api.requests[0].headers["Idempotency-Key"] == "mine"


def test_json_is_alone_on_stdout(command, api):
    api.say("POST /jobs", api.job(), status=202)
    result = command(*SUBMIT, "--lookback", "1d", "--json")
    assert json.loads(result.stdout)["id"] == api.job_id
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("status", "code"),
    [("completed", 0), ("completed_with_errors", 3), ("failed", 4), ("cancelled", 5)],
)
def test_wait_ends_with_the_code_of_the_jobs_end(command, api, feed, status, code):
    api.say("POST /jobs", api.job(status="pending"), status=202)
    api.say(f"GET /jobs/{api.job_id}", api.job())
    feed.connections = [[delta(api.job(progress_pct=100.0, status=status))]]
    result = command(*SUBMIT, "--lookback", "1d", "--wait", "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout)["status"] == status
    assert "running  50.0 %  50 of 100 candles" in result.stderr


def test_watch_as_json_prints_one_line_for_each_change(command, api, feed):
    api.say(f"GET /jobs/{api.job_id}", api.job())
    feed.connections = [[delta(api.job(status="completed", progress_pct=100.0))]]
    result = command("jobs", "watch", api.job_id, "--json")
    assert [json.loads(line)["status"] for line in result.stdout.splitlines()] == [
        "running",
        "completed",
    ]
    assert result.exit_code == 0


def test_watch_outside_a_terminal_prints_plain_lines(command, api, feed):
    api.say(f"GET /jobs/{api.job_id}", api.job())
    feed.connections = [[delta(api.job(status="failed"))]]
    result = command("jobs", "watch", api.job_id)
    assert result.exit_code == 4
    assert "running  50.0 %  50 of 100 candles  25/s  ETA 2s" in result.stderr
    assert "\x1b" not in result.output


def test_list_as_json_is_a_list_of_every_page(command, api):
    def page(request: httpx.Request) -> httpx.Response:
        more = None if "cursor" in request.url.params else "2"
        return httpx.Response(200, json={"items": [api.job(label=more)], "next": more})

    api.answers["GET /jobs"] = page
    result = command("jobs", "list", "--status", "running", "--json")
    assert [job["label"] for job in json.loads(result.stdout)] == ["2", None]
    assert api.requests[0].url.params["status"] == "running"


@pytest.mark.parametrize("span", ["90m", "12h", "1d", "2w"])
def test_list_takes_a_span_as_submit_does(command, api, span):
    api.say("GET /jobs", {"items": [], "next": None})
    clock, length = SystemClock(), {"90m": 1.5, "12h": 12, "1d": 24, "2w": 336}[span]
    earliest = clock.now() - timedelta(hours=length)
    assert command("jobs", "list", "--since", span).exit_code == 0
    asked = datetime.fromisoformat(api.requests[0].url.params["since"])
    assert earliest <= asked <= clock.now() - timedelta(hours=length)


@pytest.mark.parametrize("text", ["soon", "0d", "1y", "9999999w"])
def test_what_is_no_span_reaches_the_server_as_it_is(command, api, text):
    api.say("GET /jobs", {"items": [], "next": None})
    command("jobs", "list", "--since", text)
    assert api.requests[0].url.params["since"] == text


def test_list_and_show_are_tables_for_people(command, api):
    api.say("GET /jobs", {"items": [api.job(label="[red]mine")], "next": None})
    api.say(f"GET /jobs/{api.job_id}", api.job(error={"code": "gone", "message": "delisted"}))
    listed, shown = command("jobs", "list"), command("jobs", "show", api.job_id)
    assert "50.0 %" in listed.stdout
    assert "[red]mine" in listed.stdout
    assert "gone: delisted" in shown.stdout
    assert "BTC/USDT" in shown.stdout


def test_features_stored_are_shown_wherever_a_job_is(command, api, feed):
    asked = api.job(features=True, feature_sets=["default"], features_stored=4321)
    asked["tasks"][0] |= {"features": True, "features_stored": 1234}
    api.say("GET /jobs", {"items": [asked], "next": None})
    api.say(f"GET /jobs/{api.job_id}", asked)
    feed.connections = [[delta({**asked, "status": "completed"})]]
    assert "4,321" in command("jobs", "list").stdout
    shown = command("jobs", "show", api.job_id).stdout
    assert "4,321 (default)" in shown
    assert "1,234" in shown
    followed = command("jobs", "watch", api.job_id).stderr
    assert "50 of 100 candles  4,321 features  25/s" in followed


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
def test_a_job_is_steered_by_symbols_and_tasks(command, api, action):
    api.answers[f"POST /jobs/{api.job_id}/{action}"] = httpx.Response(202, json=api.job())
    command("jobs", action, api.job_id, "--symbols", "BTC/USDT,ETH/USDT", "--task", "t1")
    body = json.loads(api.requests[-1].content)
    assert body == {"symbols": ["BTC/USDT", "ETH/USDT"], "tasks": ["t1"]}


def test_several_jobs_are_steered_at_once_and_a_refusal_is_in_the_exit_code(command, api):
    results = [
        {"job_id": "a", "accepted": True, "code": "accepted", "reason": "it is paused"},
        {"job_id": "b", "accepted": False, "code": "invalid_transition", "reason": "it is over"},
    ]
    api.answers["POST /jobs/actions"] = httpx.Response(200, json={"results": results})
    result = command("jobs", "pause", "a", "b")
    assert json.loads(api.requests[-1].content) == {"action": "pause", "jobs": ["a", "b"]}
    assert (result.exit_code, "it is over" in result.stdout) == (1, True)


def test_tasks_of_several_jobs_cannot_be_named(command, api):
    result = command("jobs", "pause", "a", "b", "--symbols", "BTC/USDT")
    assert (result.exit_code, api.requests) == (2, [])


def test_cancel_of_an_ended_job_says_why_not(command, api):
    api.answers[f"POST /jobs/{api.job_id}/cancel"] = api.problem(
        409, "invalid_transition", "a completed job cannot be cancelled"
    )
    result = command("jobs", "cancel", api.job_id, "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "candlelog: a completed job cannot be cancelled\n"


def test_an_unreachable_server_is_one_sentence(command, api):
    api.first = [httpx.ConnectError("refused")] * 3
    result = command("jobs", "list")
    assert result.exit_code == 6
    assert result.stderr == "candlelog: http://candlelog.test cannot be reached: refused\n"


def test_a_wrong_token_is_one_sentence(command, monkeypatch):
    monkeypatch.setenv("CANDLELOG_API_TOKEN", "wrong")
    result = command("limits", "show")
    assert result.exit_code == 7
    assert result.stderr.startswith("candlelog: the token was not accepted: ")
    assert "wrong" not in result.stderr


def test_a_problem_of_the_server_is_one_sentence(command, api):
    api.first = [api.problem(503, "store_unavailable", "Postgres cannot be reached")] * 3
    result = command("series", "list")
    assert (result.exit_code, result.stderr) == (1, "candlelog: Postgres cannot be reached\n")


def test_without_environment_the_running_system_of_the_data_directory_is_used(
    command, api, monkeypatch, tmp_path
):
    monkeypatch.delenv("CANDLELOG_API_URL")
    monkeypatch.delenv("CANDLELOG_API_TOKEN")
    (tmp_path / "candlelog.env").write_text(
        "# written at start\nCANDLELOG_API_URL=http://candlelog.test\nCANDLELOG_API_TOKEN=a-token\n"
    )
    api.say("GET /jobs", {"items": [], "next": None})
    result = command("jobs", "list", "--data-dir", str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, "No jobs.\n")


def test_the_environment_comes_before_the_data_directory(command, api, tmp_path):
    (tmp_path / "candlelog.env").write_text("CANDLELOG_API_URL=http://other.test\n")
    api.say("GET /jobs", {"items": [], "next": None})
    command("jobs", "list", "--data-dir", str(tmp_path))
    assert api.requests[0].url.host == "candlelog.test"


def test_without_any_system_it_says_how_to_start_one(command, monkeypatch, tmp_path):
    monkeypatch.delenv("CANDLELOG_API_URL")
    result = command("jobs", "list", "--data-dir", str(tmp_path))
    assert result.exit_code == 6
    assert f"candlelog up --data-dir {tmp_path}" in result.stderr


def test_get_shows_candles_as_a_table_and_as_json(command, api):
    prices = {"open": 0.1, "high": 1.0, "low": 1e-8, "close": 1e-7, "volume": 7.0}
    row = {**KEY, **prices, "quote_volume": None, "trades": 3, "state": "present"}
    api.say("GET /candles", {"items": [row], "next": None})
    shown = command("candles", "get", *SERIES, "--start", "2024-02-01")
    assert "2024-02-01 00:00" in shown.stdout
    assert "1e-07" in shown.stdout
    (candle,) = json.loads(command("candles", "get", *SERIES, "--json").stdout)
    assert candle["open_time"] == "2024-02-01T00:00:00Z"
    assert (candle["open"], candle["close"], candle["trades"]) == (0.1, 1e-7, 3)


def test_get_shows_the_features_that_were_named_and_all_as_json(command, api):
    features = {f"f_{n}": n + 0.123456789 for n in range(12)}
    row = {**KEY, "feature_set": "mine", "version": 2, **features, "f_3": None}
    api.say("GET /features", {"items": [row], "next": None})
    get = ("features", "get", *SERIES, "--feature-set", "mine")
    few = command(*get).stdout
    assert ("0.123457" in few, "7.12346" in few, "8.12346" in few) == (True, True, False)
    named = command(*get, "--columns", "f_9,f_3", "--column", "f_11").stdout
    assert named.split()[:4] == ["open_time", "f_9", "f_3", "f_11"]
    assert named.split()[6:] == ["9.12346", "–", "11.1235"]
    assert api.requests[0].url.params["feature_set"] == "mine"
    assert json.loads(command(*get, "--json").stdout) == [row]
    unknown = command(*get, "--columns", "rsi")
    assert (unknown.exit_code, "no feature 'rsi'; there are f_0, f_1" in unknown.stderr) == (
        2,
        True,
    )


@pytest.mark.parametrize("noun", ["candles", "features"])
def test_a_range_without_rows_says_so_and_one_with_more_how_to_get_them(command, api, noun):
    api.say(f"GET /{noun}", {"items": [], "next": None})
    assert command(noun, "get", *SERIES).stdout == f"No {noun} in this range.\n"
    prices = dict.fromkeys(("open", "high", "low", "close", "volume", "quote_volume"), 1.5)
    state = {"state": "present"} if noun == "candles" else {}
    row = {**KEY, **prices, "trades": 1, **state}
    api.say(f"GET /{noun}", {"items": [row], "next": "more"})
    shown = command(noun, "get", *SERIES, "--limit", "1").stdout
    assert f"The first 1; more with --limit, all with candlelog {noun} export." in shown


def test_export_to_stdout_is_the_csv_and_nothing_else(command, api):
    for noun in ("candles", "features"):
        api.answers[f"GET /{noun}"] = httpx.Response(200, content=CSV)
        assert command(noun, "export", *SERIES).stdout == CSV
    assert [request.url.params["format"] for request in api.requests] == ["csv", "csv"]


def test_export_to_a_file_counts_what_it_wrote(command, api, tmp_path):
    api.answers["GET /candles"] = httpx.Response(200, content=CSV)
    file = tmp_path / "candles.csv"
    result = command("candles", "export", *SERIES, "--output", str(file), "--json")
    assert file.read_text() == CSV
    assert json.loads(result.stdout) == {
        "file": str(file),
        "format": "csv",
        "rows": 2,
        "bytes": len(CSV),
    }


@pytest.mark.parametrize("noun", ["candles", "features"])
@pytest.mark.parametrize(
    ("kind", "read"), [("parquet", pq.read_table), ("arrow", feather.read_table)]
)
def test_export_to_a_file_of_columns_holds_the_same_rows(command, api, tmp_path, noun, kind, read):
    api.answers[f"GET /{noun}"] = httpx.Response(200, content=arrow(CSV))
    file = tmp_path / f"a.{kind}"
    result = command(noun, "export", *SERIES, "--format", kind, "-o", str(file), "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["rows"] == 2
    assert read(file)["close"].to_pylist() == [1.5, 2.5]


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
def test_an_export_that_breaks_off_leaves_no_file(command, api, tmp_path, kind):
    async def cut():
        yield CSV.encode() if kind == "csv" else arrow(CSV)[:-200]
        raise httpx.RemoteProtocolError("peer closed connection")

    api.answers["GET /candles"] = httpx.Response(200, content=cut())
    target = str(tmp_path / "candles")
    result = command("candles", "export", *SERIES, "--format", kind, "-o", target)
    assert result.exit_code == 6
    assert list(tmp_path.iterdir()) == []


def test_export_cannot_share_stdout_with_json(command):
    assert command("candles", "export", *SERIES, "--json").exit_code == 2
    assert command("features", "export", *SERIES, "--format", "arrow").exit_code == 2


def test_plot_draws_prices_and_times(command, api):
    api.answers["GET /candles"] = httpx.Response(200, content=arrow(CSV))
    drawn = command("candles", "plot", *SERIES).stdout
    assert "binance BTC/USDT 1m" in drawn
    assert "02-01 00:01" in drawn
    assert "2.5" in drawn


def test_a_plot_of_nothing_says_so(command, api):
    nothing = arrow(CSV.splitlines()[0] + "\n")
    api.answers["GET /candles"] = httpx.Response(200, content=nothing)
    result = command("candles", "plot", *SERIES)
    assert result.exit_code == 1
    assert "no candles of BTC/USDT 1m" in result.stderr


@pytest.mark.parametrize("candles", [0, 2])
def test_a_plot_as_json_is_the_points_alone(command, api, candles):
    api.answers["GET /candles"] = httpx.Response(200, content=arrow("".join(LINES[: candles + 1])))
    result = command("candles", "plot", *SERIES, "--json")
    assert result.exit_code == 0, result.exception
    points = [
        {"open_time": "2024-02-01T00:00:00Z", "close": 1.5},
        {"open_time": "2024-02-01T00:01:00Z", "close": 2.5},
    ]
    assert json.loads(result.stdout) == points[:candles]


def test_limits_series_and_quarantine_are_tables_and_json(command, api):
    budget = {"budget": "binance|default|REQUEST_WEIGHT", "capacity": 6000, "utilisation": 0.5}
    api.say("GET /limits", {"items": [budget], "next": None})
    series = {"exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1m", "candles": 41760}
    api.say("GET /series", {"items": [series], "next": None})
    row = {**series, "reason": "low_above_open", "raw": "[1,2]"}
    api.say("GET /quarantine", {"items": [row], "next": None})
    assert "50.0 %" in command("limits", "show").stdout
    assert "41,760" in command("series", "list").stdout
    assert "low_above_open" in command("quarantine", "list").stdout
    assert json.loads(command("limits", "show", "--json").stdout)[0]["capacity"] == 6000
    assert json.loads(command("series", "list", "--json").stdout)[0]["candles"] == 41760
    assert json.loads(command("quarantine", "list", "--json").stdout)[0]["raw"] == "[1,2]"


def test_limits_tell_which_window_they_are_of(command, api):
    window = {"id": 1, "start": "2024-02-01T00:01:00Z", "end": "2024-02-01T00:02:00Z"}
    budget = {"budget": "kraken|default|REQUESTS", "window": window}
    api.say("GET /limits", {"items": [budget], "next": None})
    assert "2024-02-01 00:01:00 + 1m 00s" in command("limits", "show").stdout


def test_two_spans_for_one_job_are_refused(command, api):
    result = command(*SUBMIT, "--lookback", "30d", "--since", "3d")
    assert (result.exit_code, api.requests) == (2, [])


@pytest.mark.parametrize("name", ["", "..", "1/tasks", "../limits"])
def test_what_is_no_id_is_not_asked_for(command, api, name):
    result = command("jobs", "show", name)
    assert (result.exit_code, api.requests) == (2, [])


def test_limits_are_shown_again_and_again_until_ctrl_c(command, api, monkeypatch):
    left = [1, 1]

    async def sleep(_seconds):
        if not left:
            raise KeyboardInterrupt
        left.pop()

    monkeypatch.setattr("candlelog_client.cli.limits.asyncio.sleep", sleep)
    budget = {"budget": "kraken|default|REQUESTS", "allocator": "12345678-0000-0000-0000-0000"}
    api.say("GET /limits", {"items": [budget], "next": None})
    table = command("limits", "show", "--watch")
    assert (table.stdout.count("kraken|default|REQUESTS"), table.exit_code) == (3, 130)
    assert "12345678 " in table.stdout
    left = [1, 1]
    lines = command("limits", "show", "--watch", "--json").stdout.splitlines()
    assert [json.loads(line)[0]["budget"] for line in lines] == ["kraken|default|REQUESTS"] * 3


def test_an_unknown_option_is_a_usage_error(command):
    assert command("jobs", "list", "--nonsense").exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--exchange-url", "binance"),
        ("--exchange-url", "=http://127.0.0.1:1"),
        ("--archive", "binance="),
        ("--replicas", "fetcher=two"),
    ],
)
def test_up_refuses_a_pair_that_is_none_before_it_starts_anything(command, tmp_path, arguments):
    result = command("up", "--data-dir", str(tmp_path / "data"), *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--replicas", "baker=2"), "baker"),
        (("--exchange-url", "nope=http://127.0.0.1:1"), "nope"),
        (("--exchange-url", "binance=ftp://127.0.0.1:1"), "ftp://"),
        (("--archive", "binance=/nowhere/at/all"), "/nowhere/at/all"),
        (("--feature-sets", "/nowhere/at/all"), "/nowhere/at/all"),
    ],
)
def test_up_refuses_what_cannot_work_in_one_sentence(
    command, tmp_path, monkeypatch, arguments, word
):
    monkeypatch.setattr(system, "up", lambda *_, **__: pytest.fail("started"))
    result = command("up", "--data-dir", str(tmp_path / "data"), *arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert word in result.stderr
    assert not (tmp_path / "data").exists()


def test_up_refuses_a_feature_set_that_cannot_be_computed(command, tmp_path, monkeypatch):
    monkeypatch.setattr(system, "up", lambda *_, **__: pytest.fail("started"))
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nversion: 1\nfeatures:\n  - {indicator: RSY, columns: [rsi]}\n"
    )
    result = command("up", "--data-dir", str(tmp_path / "data"), "--feature-sets", str(tmp_path))
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "feature set mine/1: features[0]: RSY" in result.stderr


def test_where_nothing_runs_ps_is_empty_and_down_has_nothing_to_do(command, tmp_path):
    where = ("--data-dir", str(tmp_path))
    assert json.loads(command("ps", *where, "--json").stdout) == []
    assert json.loads(command("down", *where, "--json").stdout) == {"stopped": False}


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs", "submit", "--symbols", "\udcff", "--timeframes", "1m", "--since", "1d"),
        (*SUBMIT, "--since", "1d", "--label", "\udcff"),
        (*SUBMIT, "--since", "1d", "--idempotency-key", ""),
        (*SUBMIT, "--since", "1d", "--idempotency-key", "a\nb"),
        (*SUBMIT, "--since", "1d", "--idempotency-key", "é"),
        ("jobs", "show", ""),
        ("jobs", "show", "\udcff"),
        ("jobs", "cancel", ".."),
        ("series", "list", "--symbol", "\udcff"),
    ],
)
def test_what_cannot_be_sent_is_said_and_not_sent(command, api, arguments):
    result = command(*arguments)
    assert result.exit_code == 2, result.exception
    assert result.stderr.startswith("candlelog: ")
    assert not api.requests


@pytest.mark.parametrize("url", ["garbage", "http://[::1", "ftp://x", "http://", "http://a:b"])
def test_an_address_that_is_none_is_said(command, monkeypatch, url):
    monkeypatch.setenv("CANDLELOG_API_URL", url)
    result = command("jobs", "list")
    assert result.exit_code == 6, result.exception
    assert "is no address" in result.stderr


def test_a_token_that_no_header_can_hold_is_said_without_showing_it(command, monkeypatch):
    monkeypatch.setenv("CANDLELOG_API_TOKEN", "gehé\nim")
    result = command("jobs", "list")
    assert result.exit_code == 6, result.exception
    assert "CANDLELOG_API_TOKEN" in result.stderr
    assert "geh" not in result.stderr


@pytest.mark.parametrize("target", ["missing/candles.csv", "."])
def test_a_file_that_cannot_be_written_is_said(command, api, tmp_path, target):
    api.answers["GET /candles"] = httpx.Response(200, text=CSV)
    result = command("candles", "export", *SERIES, "-o", str(tmp_path / target))
    assert result.exit_code == 1, result.exception
    assert result.stderr.startswith("candlelog: ")


@pytest.mark.parametrize("port", ["0", "99999"])
def test_a_port_that_is_none_is_refused(command, port):
    assert command("up", "--api-port", port).exit_code == 2


@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_a_data_directory_that_cannot_be_is_said(command, tmp_path, detach):
    (tmp_path / "file").touch()
    result = command("up", "--sandbox", "--data-dir", str(tmp_path / "file"), *detach)
    assert result.exit_code == 1, result.exception
    assert "file cannot be a data directory (File exists): give another one" in result.stderr


def test_ctrl_c_while_the_command_loads_shows_no_traceback():
    script = (
        "import os, signal, sys, types\n"
        "class Slow(types.ModuleType):\n"
        "    def __getattr__(self, name):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "from candlelog_client.cli import entry\n"
        "sys.modules['candlelog_client.cli.app'] = Slow('slow')\n"
        "entry.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
