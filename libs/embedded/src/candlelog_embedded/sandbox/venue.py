"""The sandbox as one thing: markets, gates, faults, clock and counters, without any network."""

import asyncio
from dataclasses import replace
from email.utils import formatdate
from random import Random
from typing import Final

from candlelog.clock import Clock
from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.binance import Binance
from candlelog_embedded.sandbox.clock import OffsetClock
from candlelog_embedded.sandbox.dialects import FUTURES, SPOT, Dialect, Query
from candlelog_embedded.sandbox.faults import FAULTS, Circumstances, FaultPlan
from candlelog_embedded.sandbox.limiter import Limiter, Rules, Verdict
from candlelog_embedded.sandbox.markets import Markets
from candlelog_embedded.sandbox.refusals import refusal
from candlelog_embedded.sandbox.statistics import Arrival, Statistics

_SLOW_MINUTES: Final = 1 << 17
_OF_FUTURES: Final = 2400
"""Weight a minute."""


class _House:
    """One interface of the venue, with a limit of its own."""

    def __init__(self, dialect: Dialect, markets: Markets, limiter: Limiter) -> None:
        self.dialect: Final = dialect
        self.limiter: Final = limiter
        self._binance = Binance(dialect, markets, limiter)

    async def answer(self, path: str, query: Query, now: int) -> Answer:
        """What it says to a request that was admitted."""
        if self._binance.minutes_to_fold(path, query) > _SLOW_MINUTES:
            # Years of minutes take a good part of a second, which others need not wait for.
            return await asyncio.to_thread(self._binance.answer, path, query, now)
        return self._binance.answer(path, query, now)


class Venue:
    """Everything a request meets, in the order it meets it: counters, gate, answer, fault."""

    def __init__(self, markets: Markets, clock: Clock, random: Random) -> None:
        self.markets = markets
        self.clock = OffsetClock(clock)
        self.limiter = Limiter()
        self.futures = Limiter(Rules(_OF_FUTURES))
        self.faults = FaultPlan(random)
        self.statistics = Statistics()
        self.latency_seconds = 0.0
        self._spot = _House(SPOT, markets, self.limiter)
        self._futures = _House(FUTURES, markets, self.futures)

    async def ask(self, path: str, query: Query) -> Answer:
        """The answer to one request, counted now; its delay is left to whoever sends it."""
        house = self._futures if path.startswith(f"{FUTURES.base}/") else self._spot
        now = self.clock.milliseconds()
        verdict = self._count(house, path, query, now)
        if verdict is not Verdict.ADMITTED:
            return self._stamped(refusal(verdict, house.limiter, now), house, now)
        rule = self.faults.draw(path, query)
        answer = await house.answer(path, query, now)
        if rule is not None:
            around = Circumstances(rule, house.limiter, self.faults.random, now)
            answer = FAULTS[rule.kind].apply(answer, around)
        return self._stamped(answer, house, now)

    def _count(self, house: _House, path: str, query: Query, now: int) -> Verdict:
        cost = house.dialect.weight(path, query)
        verdict = house.limiter.arrive(cost, now)
        symbol = query.get("symbol")
        arrival = Arrival(
            now,
            path if house.dialect.knows(path) else "unknown",
            symbol,
            query.get("interval"),
            query.get("startTime"),
            query.get("endTime"),
            cost,
            verdict,
        )
        self.statistics.count(arrival, listed=symbol in self.markets.listings)
        return verdict

    def _stamped(self, answer: Answer, house: _House, now: int) -> Answer:
        headers = {
            **answer.headers,
            "Date": formatdate(now // 1000, usegmt=True),
            "X-MBX-USED-WEIGHT": (used := str(house.limiter.used(now))),
            "X-MBX-USED-WEIGHT-1M": used,
        }
        wait = self.latency_seconds + answer.wait_seconds
        return replace(answer, headers=headers, wait_seconds=wait)
