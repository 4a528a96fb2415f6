"""A symbol can be listed late, delisted, or gone, and the venue says so as the real ones do."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
import pytest

from candlelog.clock import ManualClock
from candlelog_embedded.sandbox.counter import CounterRules
from candlelog_embedded.sandbox.markets import Markets, generated
from candlelog_embedded.sandbox.tenure import Tenure
from candlelog_embedded.sandbox.venue import Venue

MINUTE = 60_000
SINCE = 1_706_745_600_000  # 2024-02-01
UNTIL = SINCE + 30 * MINUTE
NOW = datetime(2024, 2, 1, 0, 29, 30, tzinfo=UTC)
SYMBOL = "SYNAUSDT"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def venue(clock: ManualClock) -> Venue:
    made = Venue(Markets(generated(1)), clock, Random(7))
    made.kraken.counter_rules = CounterRules(burst=None)
    return made


async def asked(venue: Venue, path: str, **query: str) -> Any:
    return orjson.loads((await venue.ask(path, query)).body)


async def klines(venue: Venue, interval: str = "1m", **query: str) -> list[Any]:
    return await asked(venue, "/api/v3/klines", symbol=SYMBOL, interval=interval, **query)


async def entry(venue: Venue, base: str) -> dict[str, Any]:
    info = await asked(venue, f"{base}/exchangeInfo", symbol=SYMBOL)
    return info["symbols"][0]


async def pairs(venue: Venue) -> dict[str, Any]:
    return (await asked(venue, "/0/public/AssetPairs"))["result"]


async def test_before_its_listing_a_question_is_answered_from_there_on(venue: Venue):
    venue.markets.set_tenure(SYMBOL, Tenure(since=SINCE))
    rows = await klines(venue, startTime="1600000000000", limit="2")
    assert [row[0] for row in rows] == [SINCE, SINCE + MINUTE]


async def test_a_question_that_ends_before_the_listing_has_no_rows(venue: Venue):
    venue.markets.set_tenure(SYMBOL, Tenure(since=SINCE))
    assert await klines(venue, startTime="1600000000000", endTime=str(SINCE - 1)) == []


async def test_the_hour_of_the_listing_is_made_of_the_minutes_since(venue: Venue):
    since = SINCE - 20 * MINUTE
    whole = await klines(venue, startTime=str(since), endTime=str(SINCE - 1))
    venue.markets.set_tenure(SYMBOL, Tenure(since=since))
    [hour] = await klines(venue, "1h", startTime="1600000000000", limit="1")
    assert (hour[0], hour[1]) == (SINCE - 60 * MINUTE, whole[0][1])
    assert hour[8] == sum(row[8] for row in whole)


async def test_from_its_delisting_on_there_are_no_rows(venue: Venue, clock: ManualClock):
    venue.markets.set_tenure(SYMBOL, Tenure(until=UNTIL))
    clock.advance(3600)
    assert (await klines(venue, limit="1"))[0][0] == UNTIL - MINUTE
    assert await klines(venue, startTime=str(UNTIL)) == []


async def test_holes_and_listing_go_together(venue: Venue):
    venue.markets.set_holes(SYMBOL, [(SINCE + MINUTE, SINCE + 3 * MINUTE)])
    venue.markets.set_tenure(SYMBOL, Tenure(since=SINCE, until=UNTIL))
    rows = await klines(venue, startTime="0", limit="2")
    assert [row[0] for row in rows] == [SINCE, SINCE + 3 * MINUTE]


@pytest.mark.parametrize(("base", "status"), [("/api/v3", "BREAK"), ("/fapi/v1", "SETTLING")])
async def test_a_symbol_is_delisted_by_the_clock_of_the_venue(
    venue: Venue, clock: ManualClock, base: str, status: str
):
    venue.markets.set_tenure(SYMBOL, Tenure(until=UNTIL))
    before = await entry(venue, base)
    clock.advance(30)
    after = await entry(venue, base)
    assert (before["status"], after["status"]) == ("TRADING", status)


async def test_a_contract_tells_when_it_is_listed(venue: Venue):
    venue.markets.set_tenure(SYMBOL, Tenure(since=SINCE, until=UNTIL))
    said = await entry(venue, "/fapi/v1")
    assert (said["onboardDate"], said["deliveryDate"]) == (SINCE, UNTIL)


async def test_orders_of_a_delisted_pair_can_only_be_cancelled(venue: Venue, clock: ManualClock):
    venue.markets.set_tenure(SYMBOL, Tenure(until=UNTIL))
    clock.advance(30)
    found = await pairs(venue)
    assert (found[SYMBOL]["status"], found["SYNBUSDT"]["status"]) == ("cancel_only", "online")


async def test_of_a_delisted_pair_kraken_answers_the_last_candles(venue: Venue, clock: ManualClock):
    venue.markets.set_tenure(SYMBOL, Tenure(until=UNTIL))
    clock.advance(3600)
    answer = await asked(venue, "/0/public/OHLC", pair=SYMBOL, interval="30")
    assert answer["result"][SYMBOL][-1][0] == UNTIL // 1000 - 1800


@pytest.mark.parametrize("base", ["/api/v3", "/fapi/v1"])
async def test_a_symbol_that_is_gone_is_unknown(venue: Venue, base: str):
    venue.markets.set_tenure(SYMBOL, Tenure(gone=True))
    info = await asked(venue, f"{base}/exchangeInfo")
    assert SYMBOL not in {each["symbol"] for each in info["symbols"]}
    for call in ("exchangeInfo", "klines"):
        answer = await asked(venue, f"{base}/{call}", symbol=SYMBOL, interval="1m")
        assert answer["code"] == -1121


async def test_a_pair_that_is_gone_is_unknown(venue: Venue):
    venue.markets.set_tenure(SYMBOL, Tenure(gone=True))
    assert SYMBOL not in await pairs(venue)
    answer = await asked(venue, "/0/public/OHLC", pair=SYMBOL)
    assert answer == {"error": ["EQuery:Unknown asset pair"]}
