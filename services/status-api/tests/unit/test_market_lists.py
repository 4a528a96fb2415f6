"""The lists of the exchanges' symbols: who asks for them, and how long that may take."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from candlelog.clock import ManualClock
from candlelog.events.jobs import ListMarketsV1
from candlelog.events.markets import Market, MarketsListedV1
from candlelog.log.memory import MemoryLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from status_api.domain.problems import Problem
from status_api.handlers import markets as module
from status_api.handlers.markets import Markets

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)


class Asked:
    """Lists over a log in memory, on which nobody answers but the test."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.clock = ManualClock(NOW)

    async def __aenter__(self) -> "Asked":
        self._opened = self.log.producer()
        producer = await self._opened.__aenter__()
        self.markets = Markets(
            Publisher(producer, source="test", clock=self.clock, topic_prefix="candlelog."),
            self.clock,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._opened.__aexit__(None, None, None)

    def questions(self) -> int:
        events = [receive(each).event for each in self.log.records("candlelog.jobs.commands")]
        return sum(isinstance(each, ListMarketsV1) for each in events)

    async def once(self) -> None:
        async with asyncio.timeout(240):
            while not self.questions():  # noqa: ASYNC110 -- the log in memory tells nobody
                await asyncio.sleep(0)

    def answer(self, *symbols: str, listed_at: datetime = NOW) -> None:
        found = tuple(Market(symbol=symbol, active=True) for symbol in symbols)
        self.markets.read(MarketsListedV1(exchange="binance", markets=found, listed_at=listed_at))


async def test_callers_share_the_question_in_flight_and_its_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.2)
    async with Asked() as asked:
        callers = [
            asyncio.create_task(asked.markets.listed("binance", ["BTC/USDT"])) for _ in range(5)
        ]
        _, waiting = await asyncio.wait(callers, return_when=asyncio.FIRST_COMPLETED)
        answers = await asyncio.gather(*callers, return_exceptions=True)
    assert not waiting
    assert [each.code for each in answers if isinstance(each, Problem)] == [
        "markets_unavailable"
    ] * 5
    assert asked.questions() == 1


async def test_after_a_question_without_an_answer_the_next_caller_asks_again(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.05)
    async with Asked() as asked:
        for _ in range(2):
            with pytest.raises(Problem, match="could not be read now"):
                await asked.markets.listed("binance", ["BTC/USDT"])
    assert asked.questions() == 2


async def test_everybody_hears_the_answer_even_when_who_asked_first_has_gone():
    async with Asked() as asked:
        first, second = (
            asyncio.create_task(asked.markets.listed("binance", ["BTC/USDT"])) for _ in range(2)
        )
        await asked.once()
        first.cancel()
        await asyncio.sleep(0)
        asked.answer("BTC/USDT")
        assert await second == {"BTC/USDT"}
    assert asked.questions() == 1


async def test_a_log_that_is_away_is_told_to_everybody():
    async with Asked() as asked:
        asked.log.away = True
        answers = await asyncio.gather(
            *(asked.markets.listed("binance", ["BTC/USDT"]) for _ in range(3)),
            return_exceptions=True,
        )
    assert [each.code for each in answers if isinstance(each, Problem)] == ["log_unavailable"] * 3


async def test_an_old_list_that_lacks_a_symbol_is_asked_for_again():
    async with Asked() as asked:
        asked.answer("BTC/USDT", listed_at=NOW - timedelta(hours=2))
        assert await asked.markets.listed("binance", ["BTC/USDT"]) == {"BTC/USDT"}
        asking = asyncio.create_task(asked.markets.listed("binance", ["NEW/USDT"]))
        await asked.once()
        asked.answer("BTC/USDT", "NEW/USDT")
        assert await asking == {"BTC/USDT", "NEW/USDT"}


async def test_a_symbol_that_trades_no_more_can_be_asked_for():
    async with Asked() as asked:
        delisted = Market(symbol="OLD/USDT", active=False)
        asked.markets.read(MarketsListedV1(exchange="binance", markets=(delisted,), listed_at=NOW))
        assert await asked.markets.listed("binance", ["OLD/USDT"]) == {"OLD/USDT"}
