"""Kraken's interface: the newest candles alone, names of its own, a counter for a limit."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
import pytest

from candlelog.clock import ManualClock
from candlelog_embedded.sandbox.counter import CounterRules
from candlelog_embedded.sandbox.generator import GeneratedMarket
from candlelog_embedded.sandbox.kraken import NEWEST
from candlelog_embedded.sandbox.markets import Listing, Markets, generated
from candlelog_embedded.sandbox.venue import Venue

OHLC = "/0/public/OHLC"
NOW = datetime(2026, 3, 4, 5, 6, 30, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def venue(clock: ManualClock) -> Venue:
    source = GeneratedMarket("BTCUSD")
    decimals = source.price_decimals, source.volume_decimals
    bitcoin = (
        Listing("BTCUSD", "BTC", "USD", source, *decimals),
        Listing("BTCUSDT", "BTC", "USDT", source, *decimals),
    )
    made = Venue(Markets([*generated(1), *bitcoin]), clock, Random(7))
    made.kraken.counter_rules = CounterRules(burst=None)
    return made


async def asked(venue: Venue, call: str, **query: str) -> Any:
    return orjson.loads((await venue.ask(f"/0/public/{call}", query)).body)


async def rows(venue: Venue, **query: str) -> list[list[Any]]:
    answer = await asked(venue, "OHLC", **query)
    assert answer["error"] == []
    return answer["result"][query["pair"]]


async def test_its_time_is_in_whole_seconds(venue: Venue):
    assert (await asked(venue, "Time"))["result"]["unixtime"] == SECONDS


async def test_old_assets_have_a_letter_before_their_name(venue: Venue):
    pairs = (await asked(venue, "AssetPairs"))["result"]
    names = {
        pair: (entry["altname"], entry["base"], entry["quote"]) for pair, entry in pairs.items()
    }
    assert names["XXBTZUSD"] == ("XBTUSD", "XXBT", "ZUSD")
    assert names["XBTUSDT"] == ("XBTUSDT", "XXBT", "USDT")
    assert names["SYNAUSDT"] == ("SYNAUSDT", "SYNA", "USDT")
    assert (await asked(venue, "Assets"))["result"]["XXBT"]["altname"] == "XBT"


@pytest.mark.parametrize("since", ["0", str(SECONDS - 86_400 * 365)])
async def test_the_newest_candles_are_all_there_is_whatever_since_says(venue: Venue, since: str):
    found = await rows(venue, pair="SYNAUSDT", interval="60", since=since)
    assert len(found) == NEWEST
    assert found[-1][0] == SECONDS - SECONDS % 3600, "the last one is still open"
    assert found[0][0] == found[-1][0] - (NEWEST - 1) * 3600


async def test_rows_come_after_since(venue: Venue):
    open_time = SECONDS - SECONDS % 3600
    found = await rows(venue, pair="SYNAUSDT", interval="60", since=str(open_time - 3 * 3600))
    assert [row[0] for row in found] == [open_time - 2 * 3600, open_time - 3600, open_time]


async def test_a_minute_in_which_nothing_was_traded_has_no_row(venue: Venue):
    found = await rows(venue, pair="SYNAUSDT", interval="1")
    assert len(found) == NEWEST
    assert all(row[7] > 0 for row in found)
    assert found[-1][0] - found[0][0] >= (NEWEST - 1) * 60


async def test_a_row_holds_what_binance_says_of_the_same_hour(venue: Venue):
    row = (await rows(venue, pair="SYNAUSDT", interval="60"))[-2]
    query = {"symbol": "SYNAUSDT", "interval": "1h", "startTime": str(row[0] * 1000), "limit": "1"}
    [kline] = orjson.loads((await venue.ask("/api/v3/klines", query)).body)
    assert [float(value) for value in row[1:5]] == [float(value) for value in kline[1:5]]
    assert (float(row[6]), row[7]) == (float(kline[5]), kline[8])
    assert float(row[5]) == pytest.approx(float(kline[7]) / float(kline[5]))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"pair": "NONE"}, "EQuery:Unknown asset pair"),
        ({"pair": "SYNAUSDT", "interval": "3"}, "EGeneral:Invalid arguments"),
        ({"pair": "SYNAUSDT", "since": "yesterday"}, "EGeneral:Invalid arguments"),
    ],
)
async def test_errors_come_with_status_200(venue: Venue, query: dict[str, str], words: str):
    answer = await venue.ask(OHLC, query)
    assert (answer.status, orjson.loads(answer.body)) == (200, {"error": [words]})


async def test_the_counter_rises_with_requests_and_falls_with_time(
    venue: Venue, clock: ManualClock
):
    venue.kraken.counter_rules = CounterRules()
    throttled = {"error": ["EAPI:Rate limit exceeded"]}
    found = [await asked(venue, "Time") == throttled for _ in range(4)]
    clock.advance(1.0)
    found += [await asked(venue, "Time") == throttled for _ in range(2)]
    assert found == [False, False, False, True, False, True]
    assert venue.kraken.violations == 2
