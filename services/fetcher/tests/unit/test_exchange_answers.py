"""What the adapter makes of answers no venue should give: a failure, never a crash."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from candlelog.clock import SystemClock
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from fetcher.adapters.dialect import Wanted
from fetcher.adapters.exchange import CcxtExchange, open_exchange
from fetcher.adapters.kraken import Kraken
from fetcher.adapters.wire import HttpAnswer
from fetcher.domain.failures import Permanent, Transient
from fetcher.ports import Gate

START = datetime(2024, 2, 1, tzinfo=UTC)
SYMBOL = {
    "symbol": "ABCUSDT",
    "status": "TRADING",
    "baseAsset": "ABC",
    "quoteAsset": "USDT",
    "filters": [],
    "permissions": ["SPOT"],
}


class Wire:
    """Answers everything with one body."""

    def __init__(self, body: bytes, status: int = 200, **headers: str) -> None:
        self._answer = HttpAnswer(status, headers, body, sent=1.0, received=1.1)

    async def get(self, url: str, gate: Gate) -> HttpAnswer:
        del url
        gate()
        return self._answer


def leave() -> None:
    """A gate that is open."""


@pytest.fixture
async def exchange() -> Any:
    async with open_exchange(
        profile("binance"), origin=None, clock=SystemClock(), connections=1
    ) as opened:
        yield opened


def answer(exchange: CcxtExchange, said: object, status: int = 200, **headers: str) -> None:
    exchange._foreign.wire = Wire(orjson.dumps(said), status, **headers)


@pytest.mark.parametrize(
    "said",
    [
        {"symbols": [5]},
        {"symbols": [{"filters": 7}]},
        {"symbols": [SYMBOL | {"filters": [3]}]},
        {"symbols": [SYMBOL], "rateLimits": [1]},
        {"symbols": [SYMBOL], "rateLimits": 5},
        {"symbols": [SYMBOL], "rateLimits": [{"interval": [], "intervalNum": {}}]},
        {"symbols": "ABC"},
        [],
        "words",
    ],
    ids=str,
)
async def test_a_list_of_markets_that_is_none_is_not_understood(
    exchange: CcxtExchange, said: object
):
    answer(exchange, said)
    with pytest.raises(Transient, match="another kind"):
        await exchange.markets(leave)


@pytest.mark.parametrize("entry", [5, SYMBOL | {"filters": [3]}], ids=str)
async def test_a_few_markets_of_another_shape_take_no_other_with_them(
    exchange: CcxtExchange, entry: object
):
    answer(exchange, {"symbols": [entry, *[SYMBOL] * 10]})
    assert len((await exchange.markets(leave)).said.markets) == 10


async def test_a_list_of_which_much_is_of_another_shape_is_not_understood(exchange: CcxtExchange):
    answer(exchange, {"symbols": [5, *[SYMBOL] * 9]})
    with pytest.raises(Transient, match="another kind"):
        await exchange.markets(leave)


@pytest.mark.parametrize("limit", [0, -1, "NaN", 1e999, None])
async def test_a_limit_that_cannot_be_is_none(exchange: CcxtExchange, limit: object):
    stated = {
        "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limit,
    }  # fmt: skip
    answer(exchange, {"symbols": [SYMBOL], "rateLimits": [stated]})
    listed = (await exchange.markets(leave)).said
    assert listed.capacity is None
    assert [market.symbol for market in listed.markets] == ["ABC/USDT"]


@pytest.mark.parametrize("server", ["NaN", "soon", -1, 1e300, None, {}])
async def test_a_time_that_cannot_be_is_not_understood(exchange: CcxtExchange, server: object):
    answer(exchange, {"serverTime": server})
    with pytest.raises(Transient, match="another kind"):
        await exchange.time(leave)


@pytest.mark.parametrize("used", ["\u00b2", "", "-1", "many", "9" * 400])
async def test_a_count_that_is_no_number_is_not_believed(exchange: CcxtExchange, used: str):
    answer(exchange, {"serverTime": 1_700_000_000_000}, **{"x-mbx-used-weight-1m": used})
    assert (await exchange.time(leave)).used is None


async def test_what_a_venue_says_is_quoted_in_brief(exchange: CcxtExchange):
    answer(exchange, {"code": -1121, "msg": "x" * 100_000}, status=400)
    with pytest.raises(Permanent) as failure:
        await exchange.time(leave)
    assert failure.value.code == "unknown_symbol"
    assert len(str(failure.value)) < 500


async def test_the_date_of_an_answer_from_a_cache_is_not_that_of_the_venue(exchange: CcxtExchange):
    date = "Thu, 01 Feb 2024 00:00:00 GMT"
    answer(exchange, {"serverTime": 1_700_000_000_000}, date=date, age="5")
    assert (await exchange.time(leave)).date is None


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Thu, 01 Feb 2024 00:00:00 GMT", 1_706_745_600.0),
        ("Thu, 01 Feb 2024 00:00:00 -0000", 1_706_745_600.0),
        ("Thu, 99 Feb 2024 00:00:00 GMT", None),
        ("Thu, 01 Feb 99999999999 00:00:00 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
async def test_a_date_that_is_none_is_not_believed(
    exchange: CcxtExchange, date: str, seconds: float | None
):
    answer(exchange, {"serverTime": 1_700_000_000_000}, date=date)
    assert (await exchange.time(leave)).date == seconds


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("kraken", {"error": {"code": 502, "message": "bad gateway"}}),
        ("kraken", {"error": None, "result": {}}),
        ("kraken", {"error": True}),
        ("binance", {"code": "BadGateway", "msg": "x"}),
    ],
    ids=str,
)
async def test_an_error_in_words_that_nobody_knows_is_one_that_may_pass(
    name: str, said: object, status: int
):
    clock = SystemClock()
    async with open_exchange(profile(name), origin=None, clock=clock, connections=1) as exchange:
        answer(exchange, said, status)
        with pytest.raises(Transient):
            await exchange.time(leave)


@pytest.mark.parametrize("bad", [[], [None, "1"], ["x"]], ids=str)
async def test_a_row_of_kraken_that_has_no_time_takes_no_other_with_it(bad: list[object]):
    stated = [int(START.timestamp()), "10", "11", "9", "10", "10", "3", 7]
    body = {"error": [], "result": {"XXBTZUSD": [bad, stated], "last": 0}}
    window = TimeRange(START, START + timedelta(minutes=1))
    wanted = Wanted("XXBTZUSD", Timeframe.parse("1m"), 1, window, page_size=2)
    page = Kraken().page(b"", body, wanted)
    assert orjson.loads(page.text) == [bad, stated]


@pytest.mark.parametrize(
    "rows",
    [
        orjson.dumps([[]] * 720),
        orjson.dumps([["1706745600"]] * 720),
        b"[" * 1000 + b"]" * 1000,
    ],
    ids=["empty", "of text", "deep"],
)
async def test_rows_of_kraken_that_nobody_can_place_are_not_understood(rows: bytes):
    clock = SystemClock()
    async with open_exchange(
        profile("kraken"), origin=None, clock=clock, connections=1
    ) as exchange:
        exchange._ids["BTC/USD"] = "XXBTZUSD"
        body = b'{"error": [], "result": {"XXBTZUSD": %s, "last": 0}}' % rows
        exchange._foreign.wire = Wire(body)
        window = TimeRange(START, START + timedelta(minutes=1))
        with pytest.raises(Transient, match="another kind"):
            await exchange.candles("BTC/USD", "1m", window, leave, most=720)
