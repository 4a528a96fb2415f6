"""What was believed before, and how complete it is, on the command line."""

import json

import pytest

SERIES = ("--symbol", "BTC/USDT", "--timeframe", "1m")
KEY = {"exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1m"}
AT = "2024-02-01T00:01:00Z"
FIRST, SECOND = "2024-02-02T00:00:00Z", "2024-02-03T00:00:00Z"
PRICES = dict.fromkeys(("open", "high", "low", "close"), 1.5)
VERSIONS = [
    KEY | PRICES
    | {"open_time": AT, "volume": volume, "source": "rest", "observed_at": read}
    | {"superseded_at": until}
    for volume, read, until in [(7.0, FIRST, SECOND), (7.5, SECOND, None)]
]  # fmt: skip
LINE = KEY | {
    "series": 1, "start": AT, "end": FIRST, "slots": 1439, "completeness": 0.99931,
    "states": {"present": 1438, "unknown": 1}, "freshness": "stale", "overdue_seconds": 90000.0,
}  # fmt: skip


def test_revisions_show_of_each_version_what_changed(command, api):
    api.say("GET /candles/revisions", {"items": VERSIONS, "next": None})
    header, first, second = command("candles", "revisions", *SERIES).stdout.splitlines()
    assert "believed from" in header
    assert (first.count("1.5"), "7.0" in first) == (4, True)
    assert (second.count("1.5"), "7.5" in second, "now" in second) == (0, True, True)


def test_revisions_are_json(command, api):
    api.say("GET /candles/revisions", {"items": VERSIONS, "next": None})
    shown = json.loads(command("candles", "revisions", *SERIES, "--json").stdout)
    assert [row["superseded_at"] for row in shown] == [SECOND, None]


def test_no_revision_is_said_in_words(command, api):
    api.say("GET /candles/revisions", {"items": [], "next": None})
    assert command("candles", "revisions", *SERIES).stdout == (
        "No candle in this range was restated.\n"
    )


@pytest.mark.parametrize("verb", ["get", "export"])
def test_candles_are_asked_for_as_of_a_moment_and_filled(command, api, verb):
    api.say("GET /candles", {"items": [], "next": None})
    command("candles", verb, *SERIES, "--as-of", "2024-02-02", "--fill", "flagged")
    asked = api.requests[0].url.params
    assert (asked["as_of"], asked["fill"]) == (FIRST, "flagged")


def test_completeness_is_a_table_of_states(command, api):
    api.say("GET /reports/completeness", {"items": [LINE], "next": None})
    header, line = command("report", "completeness").stdout.splitlines()
    assert header.split()[3:] == ["slots", "present", "unknown", "complete", "until", "freshness"]
    assert "1,438" in line
    assert "stale" in line


def test_completeness_by_day_names_the_day(command, api):
    day = {"day": "2024-02-01", "start": AT, "end": FIRST, "slots": 1, "completeness": 1.0}
    page = {"items": [day | {"states": {"present": 1}}], "next": None}
    api.say("GET /reports/completeness", page)
    shown = command("report", "completeness", "--by", "day").stdout
    assert "2024-02-01" in shown
    assert api.requests[0].url.params["by"] == "day"


def test_completeness_is_json(command, api):
    api.say("GET /reports/completeness", {"items": [LINE], "next": None})
    (shown,) = json.loads(command("report", "completeness", "--json").stdout)
    assert shown["states"] == {"present": 1438, "unknown": 1}
