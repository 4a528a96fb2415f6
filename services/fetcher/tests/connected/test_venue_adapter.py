"""The adapter against the sandbox: every fault, and what it becomes."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from candlelog.clock import SystemClock
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from fetcher.adapters import wire
from fetcher.adapters.exchange import CcxtExchange, open_exchange
from fetcher.domain.failures import (
    Away,
    GrantLapsed,
    Permanent,
    RateLimited,
    Reset,
    Transient,
    VenueFailure,
)
from fetcher.domain.rows import Question, read

pytestmark = pytest.mark.connected

START = datetime(2021, 1, 1, tzinfo=UTC)
MINUTE = Timeframe.parse("1m")
WINDOW = TimeRange(START, START + timedelta(minutes=1000))


def leave() -> None:
    """A gate that is open."""


@pytest.fixture
async def exchange(sandbox: Any) -> AsyncGenerator[CcxtExchange]:
    async with open_exchange(
        profile("binance"), origin=sandbox.url, clock=SystemClock(), connections=4
    ) as opened:
        await opened.markets(leave)
        yield opened


async def test_a_page_holds_every_candle_of_its_window(exchange: CcxtExchange):
    answer = await exchange.candles("SYNA/USDT", "1m", WINDOW, leave, most=1000)
    question = Question(WINDOW, Timeframe.parse("1m"), WINDOW.end)
    page = read(answer.said.text, answer.said.layout, question)
    assert (page.rows.num_rows, page.quarantined) == (1000, ())
    assert page.rows.column("open_time")[0].as_py() == START
    assert answer.used == 22


async def test_markets_come_with_the_limit_the_venue_states(exchange: CcxtExchange):
    answer = await exchange.markets(leave)
    assert answer.said.capacity == 6000
    assert "SYNA/USDT" in {market.symbol for market in answer.said.markets}


async def test_the_venues_clock_is_read(exchange: CcxtExchange, sandbox: Any):
    sandbox.turn("clock", {"offset_seconds": 90})
    answer = await exchange.time(leave)
    ahead = answer.said.server - SystemClock().now().timestamp()
    assert ahead == pytest.approx(90, abs=1)


async def test_futures_are_read_with_a_limit_of_their_own(sandbox: Any):
    venue = profile("binanceusdm")
    window = TimeRange(START, START + timedelta(minutes=venue.page_size))
    async with open_exchange(
        venue, origin=sandbox.url, clock=SystemClock(), connections=4
    ) as futures:
        listed = await futures.markets(leave)
        answer = await futures.candles("SYNA/USDT:USDT", "1m", window, leave, most=venue.page_size)
        time = await futures.time(leave)
    page = read(
        answer.said.text,
        answer.said.layout,
        Question(window, Timeframe.parse("1m"), window.end),
    )
    assert (page.rows.num_rows, page.quarantined) == (venue.page_size, ())
    assert (listed.said.capacity, listed.used, answer.used) == (2400, 1, 3)
    assert time.said.server == pytest.approx(SystemClock().now().timestamp(), abs=5)
    assert {"SYNA/USDT:USDT"} <= {market.symbol for market in listed.said.markets}


async def test_a_pair_of_spot_is_no_contract(sandbox: Any):
    async with open_exchange(
        profile("binanceusdm"), origin=sandbox.url, clock=SystemClock(), connections=4
    ) as futures:
        listed = await futures.markets(leave)
    assert "SYNA/USDT" not in {market.symbol for market in listed.said.markets}


@pytest.fixture
async def kraken(sandbox: Any) -> AsyncGenerator[CcxtExchange]:
    async with open_exchange(
        profile("kraken"), origin=sandbox.url, clock=SystemClock(), connections=4
    ) as opened:
        yield opened


def newest(slots: int) -> TimeRange:
    """The newest minutes that have closed."""
    end = MINUTE.floor(SystemClock().now())
    return TimeRange(MINUTE.advance(end, -slots), end)


async def test_kraken_answers_the_newest_candles(kraken: CcxtExchange):
    listed = await kraken.markets(leave)
    assert "SYNA/USDT" in {market.symbol for market in listed.said.markets}
    assert (listed.said.capacity, listed.used) == (None, None)
    window = newest(600)
    answer = await kraken.candles("SYNA/USDT", "1m", window, leave, most=720)
    page = read(answer.said.text, answer.said.layout, Question(window, MINUTE, window.end))
    times = page.rows.column("open_time").to_pylist()
    assert page.quarantined == ()
    assert 590 <= len(times) <= 600, "minutes in which nothing was traded have no row"
    assert window.start <= times[0] <= MINUTE.advance(window.start, 10)
    assert page.rows.column("quote_volume").null_count == len(times)


async def test_of_a_range_that_begins_before_its_newest_candles_kraken_answers_the_end(
    kraken: CcxtExchange,
):
    await kraken.markets(leave)
    window = newest(900)
    said = (await kraken.candles("SYNA/USDT", "1m", window, leave, most=720)).said
    page = read(said.text, said.layout, Question(said.window, MINUTE, window.end))
    assert said.window.end == window.end
    assert 719 <= MINUTE.count(said.window.start, said.window.end) < 900
    assert page.rows.column("open_time")[0].as_py() == said.window.start
    assert page.rows.num_rows in (719, 720)


async def test_of_a_range_before_its_newest_candles_kraken_says_nothing(kraken: CcxtExchange):
    await kraken.markets(leave)
    window = TimeRange(newest(1900).start, newest(1500).start)
    with pytest.raises(Permanent, match="newest 720 candles alone") as failure:
        await kraken.candles("SYNA/USDT", "1m", window, leave, most=720)
    assert failure.value.code == "out_of_reach"


async def test_krakens_clock_shows_whole_seconds(kraken: CcxtExchange):
    said = (await kraken.time(leave)).said
    now = SystemClock().now().timestamp()
    assert (said.server % 1, said.resolution) == (0.0, 1.0)
    assert said.server == pytest.approx(now, abs=3)


async def test_what_kraken_counts_as_too_much_is_said_in_a_200(kraken: CcxtExchange, sandbox: Any):
    sandbox.turn("kraken", {"burst": 1, "decay": 0.001})
    await kraken.time(leave)
    with pytest.raises(RateLimited, match="Rate limit exceeded"):
        await kraken.time(leave)


FAULTS = [
    ({"kind": "429", "seconds": 7}, RateLimited),
    ({"kind": "429-bare"}, RateLimited),
    ({"kind": "418", "seconds": 60}, RateLimited),
    ({"kind": "500"}, Transient),
    ({"kind": "502"}, Transient),
    ({"kind": "503"}, Transient),
    ({"kind": "504"}, Transient),
    ({"kind": "reset"}, Reset),
    ({"kind": "cut"}, Transient),
]


@pytest.mark.parametrize(("rule", "kind"), FAULTS, ids=str)
async def test_a_fault_becomes_what_it_is(
    exchange: CcxtExchange, sandbox: Any, rule: dict[str, Any], kind: type[VenueFailure]
):
    sandbox.turn("faults", {"faults": [rule]})
    with pytest.raises(VenueFailure) as failure:
        await exchange.candles("SYNA/USDT", "1m", WINDOW, leave, most=1000)
    assert type(failure.value) is kind
    if "seconds" in rule:
        assert isinstance(failure.value, RateLimited)
        assert failure.value.seconds == pytest.approx(rule["seconds"], abs=1)


async def test_a_page_of_html_is_not_understood(exchange: CcxtExchange, sandbox: Any):
    sandbox.turn("faults", {"faults": [{"kind": "html"}]})
    with pytest.raises(Transient, match="another kind"):
        await exchange.candles("SYNA/USDT", "1m", WINDOW, leave, most=1000)


async def test_an_answer_without_an_end_is_not_read_to_it(
    exchange: CcxtExchange, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wire, "_MOST_BYTES", 1000)
    with pytest.raises(Transient, match="more than 1000 bytes"):
        await exchange.candles("SYNA/USDT", "1m", WINDOW, leave, most=1000)


async def test_of_a_refusal_without_an_end_the_beginning_is_read(
    exchange: CcxtExchange, sandbox: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wire, "_MOST_BYTES", 1)
    sandbox.turn("faults", {"faults": [{"kind": "429"}]})
    with pytest.raises(RateLimited):
        await exchange.candles("SYNA/USDT", "1m", WINDOW, leave, most=1000)


async def test_a_request_whose_connection_is_reset_is_not_written_again(
    exchange: CcxtExchange, sandbox: Any
):
    await exchange.candles("SYNA/USDT", "1m", WINDOW, leave, most=1000)
    sandbox.turn("faults", {"faults": [{"kind": "reset"}]})
    before = len(sandbox.arrivals())
    with pytest.raises(Away):
        await exchange.candles("SYNA/USDT", "1m", WINDOW, leave, most=1000)
    assert len(sandbox.arrivals()) == before + 1


async def test_a_gate_that_is_shut_keeps_the_request_from_the_wire(
    exchange: CcxtExchange, sandbox: Any
):
    def shut() -> None:
        raise GrantLapsed

    before = len(sandbox.arrivals())
    with pytest.raises(GrantLapsed):
        await exchange.candles("SYNA/USDT", "1m", WINDOW, shut, most=1000)
    assert len(sandbox.arrivals()) == before


async def test_a_pair_that_kraken_has_taken_away_fails_for_good(
    kraken: CcxtExchange, sandbox: Any, monkeypatch: pytest.MonkeyPatch
):
    await kraken.markets(leave)
    monkeypatch.setitem(kraken._ids, "SYNA/USDT", "GONE")
    with pytest.raises(Permanent, match="Unknown asset pair") as failure:
        await kraken.candles("SYNA/USDT", "1m", newest(10), leave, most=720)
    assert failure.value.code == "unknown_symbol"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> str:
    """A proxy that does not answer, which the environment names for all but this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    return "127.0.0.1:9"


async def test_a_venue_is_asked_by_way_of_the_proxy(proxy: str):
    async with open_exchange(
        profile("binance"), origin="http://venue.example", clock=SystemClock(), connections=1
    ) as opened:
        with pytest.raises(Away, match=proxy):
            await opened.time(leave)


@pytest.mark.usefixtures("proxy")
async def test_a_venue_that_needs_no_proxy_is_asked_without(sandbox: Any):
    async with open_exchange(
        profile("binance"), origin=sandbox.url, clock=SystemClock(), connections=1
    ) as opened:
        assert (await opened.time(leave)).said.server > 0


async def test_a_venue_that_is_not_there_is_away():
    async with open_exchange(
        profile("binance"), origin="http://127.0.0.1:9", clock=SystemClock(), connections=1
    ) as opened:
        with pytest.raises(Away, match="cannot be reached"):
            await opened.time(leave)
