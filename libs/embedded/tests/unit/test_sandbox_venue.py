"""The venue answers as Binance does, and goes wrong as it is told to."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
import pytest

from candlelog.clock import ManualClock
from candlelog_embedded.sandbox.answers import Answer, Delivery
from candlelog_embedded.sandbox.faults import FAULTS, FaultRule
from candlelog_embedded.sandbox.limiter import Rules
from candlelog_embedded.sandbox.markets import Markets, generated
from candlelog_embedded.sandbox.venue import Venue

KLINES = "/api/v3/klines"
FUTURES_KLINES = "/fapi/v1/klines"
PAGE = {"symbol": "SYNAUSDT", "interval": "1m", "startTime": "1706745600000", "limit": "20"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 4, 5, 6, 30, tzinfo=UTC))


@pytest.fixture
def venue(clock: ManualClock) -> Venue:
    return Venue(Markets(generated(3)), clock, Random(7))


async def klines(venue: Venue, **changes: str) -> Answer:
    return await venue.ask(KLINES, {**PAGE, **changes})


def content(answer: Answer) -> Any:
    return orjson.loads(answer.body)


async def test_ping_and_time(venue: Venue) -> None:
    assert content(await venue.ask("/api/v3/ping", {})) == {}
    assert content(await venue.ask("/api/v3/time", {})) == {"serverTime": 1_772_600_790_000}


async def test_every_answer_tells_the_weight_of_the_minute_and_the_date(
    venue: Venue, clock: ManualClock
) -> None:
    paths = ["/api/v3/ping", "/api/v3/time", "/api/v3/exchangeInfo", KLINES, "/nowhere"]
    used = [(await venue.ask(path, {})).headers["X-MBX-USED-WEIGHT-1M"] for path in paths]
    assert used == ["1", "2", "22", "24", "25"]
    assert (await venue.ask(KLINES, PAGE)).headers["Date"] == "Wed, 04 Mar 2026 05:06:30 GMT"
    clock.advance(30)
    assert (await klines(venue)).headers["X-MBX-USED-WEIGHT-1M"] == "2"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"interval": "1m"}, -1102),
        ({"symbol": "SYNAUSDT"}, -1102),
        ({"symbol": "", "interval": "1m"}, -1102),
        ({"symbol": "NOSUCH", "interval": "1m"}, -1121),
        ({"symbol": "synausdt", "interval": "1m"}, -1100),
        ({"symbol": "SYNAUSDT", "interval": "7m"}, -1120),
        ({**PAGE, "startTime": "yesterday"}, -1100),
        ({**PAGE, "limit": "-1"}, -1100),
        ({**PAGE, "limit": "0"}, -1130),
    ],
)
async def test_a_wrong_question_gets_the_code_of_binance(
    venue: Venue, query: Mapping[str, str], code: int
) -> None:
    answer = await venue.ask(KLINES, query)
    assert (answer.status, content(answer)["code"]) == (400, code)


@pytest.mark.parametrize(("limit", "rows"), [(None, 500), ("7", 7), ("1000", 1000), ("5000", 1000)])
async def test_a_page_has_500_rows_unless_asked_and_1000_at_most(
    venue: Venue, limit: str | None, rows: int
) -> None:
    query = {name: value for name, value in PAGE.items() if name != "limit"}
    answer = await venue.ask(KLINES, query if limit is None else {**query, "limit": limit})
    assert len(content(answer)) == rows


async def test_an_absurd_start_is_an_empty_page(venue: Venue) -> None:
    for interval in ("1m", "1M"):
        assert content(await klines(venue, startTime="9" * 20, interval=interval)) == []


async def test_exchange_info_lists_every_symbol_and_the_limit(venue: Venue) -> None:
    venue.limiter.rules = Rules(capacity=1200)
    info = content(await venue.ask("/api/v3/exchangeInfo", {}))
    assert [entry["symbol"] for entry in info["symbols"]] == [
        *("SYNAUSDT", "SYNBUSDT", "GEN001USDT", "GEN002USDT", "GEN003USDT"),
    ]
    assert info["rateLimits"] == [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1200}
    ]


async def test_exchange_info_of_some_symbols(venue: Venue) -> None:
    one = content(await venue.ask("/api/v3/exchangeInfo", {"symbol": "GEN002USDT"}))
    two = content(await venue.ask("/api/v3/exchangeInfo", {"symbols": '["SYNBUSDT","SYNAUSDT"]'}))
    assert [entry["symbol"] for entry in one["symbols"]] == ["GEN002USDT"]
    assert [entry["symbol"] for entry in two["symbols"]] == ["SYNBUSDT", "SYNAUSDT"]
    for query in ({"symbol": "NO"}, {"symbols": '["NO"]'}, {"symbols": "SYNAUSDT"}):
        assert (await venue.ask("/api/v3/exchangeInfo", query)).status == 400


async def test_futures_have_a_limit_of_their_own(venue: Venue) -> None:
    await klines(venue)
    info = content(await venue.ask("/fapi/v1/exchangeInfo", {}))
    answer = await venue.ask("/fapi/v1/time", {})
    assert info["rateLimits"][0]["limit"] == 2400
    assert info["symbols"][0]["contractType"] == "PERPETUAL"
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "2"


@pytest.mark.parametrize(
    ("limit", "weight"), [("99", 1), ("499", 2), ("500", 5), ("1000", 5), ("1500", 10), ("", 5)]
)
async def test_a_page_of_futures_weighs_by_its_limit(venue: Venue, limit: str, weight: int) -> None:
    answer = await venue.ask(FUTURES_KLINES, {**PAGE, "limit": limit})
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


async def test_spot_and_futures_of_a_symbol_have_the_same_candles(venue: Venue) -> None:
    futures = await venue.ask(FUTURES_KLINES, PAGE)
    assert content(futures) == content(await klines(venue))


async def test_generated_symbols_can_be_five_hundred(clock: ManualClock) -> None:
    venue = Venue(Markets(generated(500)), clock, Random(7))
    info = content(await venue.ask("/api/v3/exchangeInfo", {}))
    assert info["symbols"][-1]["symbol"] == "GEN500USDT"


async def test_over_the_limit_is_429_then_418_with_retry_after(venue: Venue) -> None:
    venue.limiter.rules = Rules(capacity=4, ban_after=1, ban_seconds=77)
    answers = [await klines(venue) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 429, 418, 418]
    assert [answer.headers.get("Retry-After") for answer in answers] == [
        *(None, None, "30", "77", "77"),
    ]
    assert content(answers[2])["code"] == content(answers[3])["code"] == -1003


async def test_the_clock_can_be_set_off(venue: Venue) -> None:
    venue.clock.offset_seconds = 90.0
    assert content(await venue.ask("/api/v3/time", {})) == {"serverTime": 1_772_600_880_000}


async def struck(venue: Venue, kind: str, **rule: Any) -> Answer:
    venue.faults.replace((FaultRule(kind=kind, **rule),))
    return await klines(venue)


@pytest.mark.parametrize("status", ["500", "502", "503", "504"])
async def test_fault_of_the_server(venue: Venue, status: str) -> None:
    answer = await struck(venue, status)
    assert (answer.status, answer.content_type) == (int(status), "text/html")


async def test_fault_429_with_and_without_retry_after(venue: Venue) -> None:
    told = await struck(venue, "429", seconds=5)
    bare = await struck(venue, "429-bare")
    assert (told.status, told.headers["Retry-After"]) == (429, "5")
    assert (bare.status, "Retry-After" in bare.headers) == (429, False)
    assert (await struck(venue, "429")).headers["Retry-After"] == "30"


async def test_fault_418_bans_until_its_time_is_over(venue: Venue, clock: ManualClock) -> None:
    first = await struck(venue, "418", seconds=60, count=1)
    assert (first.status, first.headers["Retry-After"]) == (418, "60")
    clock.advance(59.5)
    assert (await klines(venue)).status == 418
    clock.advance(0.5)
    assert (await klines(venue)).status == 200


async def test_faults_of_the_connection(venue: Venue) -> None:
    assert (await struck(venue, "reset")).delivery is Delivery.RESET
    assert (await struck(venue, "cut")).delivery is Delivery.CUT


async def test_fault_stall_waits_on_top_of_the_latency(venue: Venue) -> None:
    venue.latency_seconds = 0.05
    assert (await struck(venue, "stall")).wait_seconds == 15.05
    assert (await struck(venue, "stall", seconds=2)).wait_seconds == 2.05


async def test_fault_html_is_a_200(venue: Venue) -> None:
    answer = await struck(venue, "html")
    assert (answer.status, answer.body[:9]) == (200, b"<!DOCTYPE")


async def test_fault_empty_page(venue: Venue) -> None:
    assert (await struck(venue, "empty")).body == b"[]"


@pytest.mark.parametrize(
    "kind", ["row-nan", "row-negative", "row-zero", "row-low-above-open", "bad-row"]
)
async def test_fault_of_one_row(venue: Venue, kind: str) -> None:
    good = content(await klines(venue))
    bad = content(await struck(venue, kind))
    assert sum(one != other for one, other in zip(good, bad, strict=True)) == 1


async def test_a_row_fault_leaves_an_empty_page_alone(venue: Venue) -> None:
    venue.faults.replace((FaultRule(kind="row-nan"),))
    assert (await klines(venue, startTime="9" * 15)).body == b"[]"


async def test_a_fault_of_pages_leaves_other_requests_alone(venue: Venue) -> None:
    venue.faults.replace((FaultRule(kind="empty", count=1),))
    assert content(await venue.ask("/api/v3/ping", {})) == {}
    assert (await klines(venue)).body == b"[]"


async def test_a_rule_can_speak_of_one_path_or_one_symbol(venue: Venue) -> None:
    venue.faults.replace(
        (FaultRule(kind="500", path="/api/v3/time"), FaultRule(kind="503", symbol="SYNBUSDT"))
    )
    statuses = [
        (await venue.ask("/api/v3/ping", {})).status,
        (await venue.ask("/api/v3/time", {})).status,
        (await klines(venue)).status,
        (await klines(venue, symbol="SYNBUSDT")).status,
    ]
    assert statuses == [200, 500, 200, 503]


async def test_a_rule_can_speak_of_one_interval(venue: Venue) -> None:
    venue.faults.replace((FaultRule(kind="500", interval="1h"),))
    assert (await klines(venue)).status == 200
    assert (await klines(venue, interval="1h")).status == 500


@pytest.mark.parametrize(
    ("start", "end", "status"),
    [
        ("08:59", "09:00", 200),
        ("08:59", "09:01", 500),
        ("09:10", "11:00", 500),
        ("09:20", "10:00", 200),
    ],
)
async def test_a_rule_can_speak_of_some_times(
    venue: Venue, start: str, end: str, status: int
) -> None:
    rule = {"start": f"2024-02-01T{start}Z", "end": f"2024-02-01T{end}Z"}
    venue.faults.replace((FaultRule.model_validate({"kind": "500"} | rule),))
    asked = {"startTime": "1706778000000", "endTime": "1706779199999"}  # 09:00 to 09:19:59
    assert (await klines(venue, **asked)).status == status
    assert (await venue.ask("/api/v3/time", {})).status == 200


async def test_a_row_fault_of_some_times_spoils_every_row_of_them(venue: Venue) -> None:
    good = content(await klines(venue))
    times = {"start": "2024-02-01T00:03:00Z", "end": "2024-02-01T00:06:00Z"}
    venue.faults.replace((FaultRule.model_validate({"kind": "row-nan"} | times),))
    bad = content(await klines(venue))
    differing = [index for index, row in enumerate(good) if row != bad[index]]
    assert differing == [3, 4, 5]


async def test_a_rule_ends_after_its_count(venue: Venue) -> None:
    venue.faults.replace((FaultRule(kind="500", count=2),))
    assert [(await klines(venue)).status for _ in range(3)] == [500, 500, 200]
    assert venue.faults.struck == {"500": 2}


LEFT_ALONE = [
    ("short", {"limit": "2"}),
    ("doubled", {"limit": "1"}),
    ("bad-row", {"startTime": "9" * 15}),
    ("empty", {"startTime": "9" * 15}),
]
"""Faults of pages, and a page that has too few rows for each."""


@pytest.mark.parametrize(("kind", "asked"), LEFT_ALONE)
async def test_a_fault_that_leaves_the_page_as_it_was_has_not_struck(
    venue: Venue, kind: str, asked: dict[str, str]
) -> None:
    venue.faults.replace((FaultRule(kind=kind),))
    await klines(venue, **asked)
    assert venue.faults.struck == {}


@pytest.mark.parametrize(("kind", "asked"), LEFT_ALONE)
async def test_what_did_not_strike_does_not_count_towards_the_end_of_its_rule(
    venue: Venue, kind: str, asked: dict[str, str]
) -> None:
    right = (await klines(venue)).body
    venue.faults.replace((FaultRule(kind=kind, count=1),))
    await klines(venue, **asked)
    assert [(await klines(venue)).body == right for _ in range(2)] == [False, True]


async def test_a_row_fault_strikes_no_page_without_a_row_of_its_times(venue: Venue) -> None:
    times = {"start": "2024-02-01T00:10:30Z", "end": "2024-02-01T00:10:40Z"}
    venue.faults.replace((FaultRule.model_validate({"kind": "row-nan"} | times),))
    asked = {"startTime": "1706746201000", "endTime": "1706746320000"}  # 00:10:01 to 00:12
    assert len(content(await klines(venue, **asked))) == 2
    assert venue.faults.struck == {}


async def test_a_stall_of_no_time_has_not_struck(venue: Venue) -> None:
    await struck(venue, "stall", seconds=0)
    assert venue.faults.struck == {}


async def test_faults_are_drawn_from_the_seed(venue: Venue) -> None:
    async def drawn() -> list[int]:
        venue.faults.random.seed(3)
        return [(await klines(venue)).status for _ in range(60)]

    venue.faults.replace((FaultRule(kind="502", probability=0.25),))
    first = await drawn()
    assert first == await drawn()
    assert 5 < first.count(502) < 25


async def test_a_request_over_the_limit_meets_no_fault(venue: Venue) -> None:
    venue.limiter.rules = Rules(capacity=2)
    venue.faults.replace((FaultRule(kind="500", count=2),))
    assert [(await klines(venue)).status for _ in range(2)] == [500, 429]
    assert venue.faults.struck == {"500": 1}


@pytest.mark.parametrize("kind", list(FAULTS))
async def test_every_fault_changes_a_page_and_has_struck(venue: Venue, kind: str) -> None:
    assert await klines(venue) != await struck(venue, kind)
    assert venue.faults.struck == {kind: 1}


async def test_arrivals_are_counted_also_when_refused(venue: Venue) -> None:
    venue.limiter.rules = Rules(capacity=2)
    for symbol in ("SYNAUSDT", "SYNBUSDT", "HOSTILE"):
        await klines(venue, symbol=symbol)
    assert venue.statistics.paths == {KLINES: 3}
    assert venue.statistics.symbols == {"SYNAUSDT": 1, "SYNBUSDT": 1, "unknown": 1}
    assert [arrival.verdict for arrival in venue.statistics.arrivals] == [200, 429, 429]
