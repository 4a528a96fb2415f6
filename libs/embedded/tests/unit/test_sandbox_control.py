"""The switches can be turned while the sandbox runs, and a reset puts them back."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
import pytest

from candlelog.clock import ManualClock
from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.control import Control
from candlelog_embedded.sandbox.flags import parse
from candlelog_embedded.sandbox.markets import Markets, generated
from candlelog_embedded.sandbox.tenure import Tenure
from candlelog_embedded.sandbox.venue import Venue

KLINES = "/api/v3/klines"
FLAGS = (
    "--capacity",
    "900",
    "--latency-ms",
    "50",
    "--hole",
    "SYNAUSDT=2024-02-01T00:00Z/2024-02-02T00:00Z",
)


@pytest.fixture
def venue() -> Venue:
    clock = ManualClock(datetime(2026, 3, 4, 5, 6, 30, tzinfo=UTC))
    return Venue(Markets(generated(1)), clock, Random())


@pytest.fixture
def control(venue: Venue) -> Control:
    flags = parse(FLAGS)
    flags.turn(venue)
    return Control(venue, flags.turn)


def post(control: Control, name: str, content: dict[str, Any] | None = None) -> Answer:
    return control.answer("POST", f"/_sandbox/{name}", {}, orjson.dumps(content or {}))


def get(control: Control, name: str, **query: str) -> dict[str, Any]:
    answer = control.answer("GET", f"/_sandbox/{name}", query, b"")
    assert answer.status == 200
    return orjson.loads(answer.body)


def test_the_command_line_sets_the_switches(control: Control) -> None:
    state = get(control, "state")
    assert state["limits"] == {"capacity": 900, "ban_after": 10, "ban_seconds": 120.0}
    assert state["latency_milliseconds"] == 50.0
    assert state["holes"] == {"SYNAUSDT": [[1_706_745_600_000, 1_706_832_000_000]]}


@pytest.mark.parametrize(
    ("name", "content", "shown", "value"),
    [
        (
            "limits",
            {"capacity": None, "ban_after": 3, "ban_seconds": 5},
            "limits",
            {"capacity": None, "ban_after": 3, "ban_seconds": 5.0},
        ),
        ("latency", {"milliseconds": 7}, "latency_milliseconds", 7.0),
        ("late", {"seconds": 7.5}, "late_milliseconds", 7500),
        ("corrections", {"share": 0.5, "round": 2}, "corrections", {"share": 0.5, "round": 2}),
        ("clock", {"offset_seconds": -90}, "clock_offset_seconds", -90.0),
        ("ban", {"seconds": 2}, "banned_until", 1_772_600_792_000),
        (
            "faults",
            {"faults": [{"kind": "500", "probability": 0.5}], "seed": 1},
            "faults",
            [{"kind": "500", "probability": 0.5}],
        ),
        ("holes", {"symbol": "SYNAUSDT", "ranges": []}, "holes", {}),
        (
            "listing",
            {"symbol": "SYNAUSDT", "since": "2024-02-01T00:00Z", "until": None},
            "listing",
            {"SYNAUSDT": {"since": 1_706_745_600_000, "until": None, "gone": False}},
        ),
        ("listing", {"symbol": "SYNBUSDT"}, "listing", {}),
    ],
)
def test_a_switch_shows_in_the_state_it_answers(
    control: Control, name: str, content: dict[str, Any], shown: str, value: object
) -> None:
    answer = post(control, name, content)
    assert (answer.status, orjson.loads(answer.body)[shown]) == (200, value)
    assert get(control, "state")[shown] == value


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("limits", {"capacity": 0}, "capacity"),
        ("latency", {}, "milliseconds"),
        ("latency", {"milliseconds": 1, "seconds": 2}, "seconds"),
        ("faults", {"faults": [{"kind": "nonsense"}]}, "nonsense"),
        ("faults", {"faults": [{"kind": "500", "probability": 2}]}, "probability"),
        ("holes", {"symbol": "NOSUCH", "ranges": []}, "NOSUCH"),
        (
            "holes",
            {"symbol": "SYNAUSDT", "ranges": [["2024-02-02T00:00Z", "2024-02-01T00:00Z"]]},
            "before it starts",
        ),
        ("listing", {"symbol": "NOSUCH"}, "NOSUCH"),
        ("listing", {"symbol": "SYNAUSDT", "since": "2024-02-01T00:00"}, "since"),
        (
            "listing",
            {
                "symbol": "SYNAUSDT",
                "since": "2024-02-02T00:00Z",
                "until": "2024-02-02T00:00Z",
            },
            "before it starts",
        ),
    ],
)
def test_a_wrong_switch_is_refused_with_its_reason(
    control: Control, name: str, content: dict[str, Any], complaint: str
) -> None:
    answer = post(control, name, content)
    assert answer.status == 422
    assert complaint in orjson.loads(answer.body)["error"]


@pytest.mark.parametrize(("method", "name"), [("GET", "limits"), ("POST", "stats"), ("PUT", "ban")])
def test_there_is_nothing_elsewhere(control: Control, method: str, name: str) -> None:
    assert control.answer(method, f"/_sandbox/{name}", {}, b"").status == 404


async def test_stats_count_by_path_symbol_minute_and_arrival(
    control: Control, venue: Venue
) -> None:
    query = {"symbol": "SYNAUSDT", "interval": "1m", "startTime": "1706745600000", "limit": "1"}
    for _ in range(3):
        await venue.ask(KLINES, query)
    stats = get(control, "stats", arrivals="2")
    assert stats["requests"] == {KLINES: 3}
    assert stats["symbols"] == {"SYNAUSDT": 3}
    assert stats["windows"] == [
        {"start": 1_772_600_760_000, "weight": 6, "requests": 3, "limited": 0, "banned": 0}
    ]
    assert (stats["limited"], stats["banned"], stats["violations"]) == (0, 0, 0)
    assert stats["arrivals"] == 2 * [
        {
            "at": 1_772_600_790_000,
            "path": KLINES,
            "symbol": "SYNAUSDT",
            "interval": "1m",
            "start": "1706745600000",
            "end": None,
            "weight": 2,
            "verdict": 200,
        }
    ]


async def test_a_reset_forgets_the_counts_and_turns_the_switches_back(
    control: Control, venue: Venue
) -> None:
    await venue.ask("/api/v3/ping", {})
    before = get(control, "state")
    post(control, "ban", {"seconds": 60})
    post(control, "faults", {"faults": [{"kind": "500"}]})
    post(control, "limits", {"capacity": 1})
    post(control, "listing", {"symbol": "SYNAUSDT", "gone": True})
    post(control, "reset")
    assert get(control, "state") == before
    stats = get(control, "stats")
    assert (stats["requests"], stats["windows"], stats["arrivals"]) == ({}, [], [])


@pytest.mark.parametrize(
    "flags",
    [
        ("--capacity", "0"),
        ("--capacity", "many"),
        ("--port", "99999"),
        ("--port", "-1"),
        ("--market", "/nowhere/at/all"),
        ("--fault", "nonsense"),
        ("--fault", '{"kind": "500", "often": true}'),
        ("--hole", "SYNAUSDT"),
        ("--hole", "SYNAUSDT=2024-02-01T00:00/2024-02-02T00:00"),
        ("--listed", "SYNAUSDT"),
        ("--listed", "SYNAUSDT=2024-02-01T00:00/"),
    ],
)
def test_wrong_flags_end_with_a_message(
    flags: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(flags)
    assert flags[0] in capsys.readouterr().err


def test_a_fault_flag_is_a_name_or_json() -> None:
    rules = parse(("--fault", "html", "--fault", '{"kind": "503", "count": 2}')).faults
    assert [(rule.kind, rule.count) for rule in rules] == [("html", None), ("503", 2)]


def test_a_listing_flag_may_leave_either_bound_out() -> None:
    day = "2024-02-01T00:00Z"
    flags = ("--listed", f"SYNAUSDT={day}/", "--listed", f"SYNBUSDT=/{day}")
    assert parse(flags).listed == (
        ("SYNAUSDT", Tenure(since=1_706_745_600_000)),
        ("SYNBUSDT", Tenure(until=1_706_745_600_000)),
    )
