"""The sandbox as one thing: markets, gate, faults, clock and counters, without any network."""

import asyncio
from dataclasses import replace
from email.utils import formatdate
from random import Random
from typing import Final

from candlelog.clock import Clock
from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.binance import Binance, Query, known_path, weight
from candlelog_embedded.sandbox.clock import OffsetClock
from candlelog_embedded.sandbox.faults import FAULTS, Circumstances, FaultPlan
from candlelog_embedded.sandbox.limiter import Limiter, Verdict
from candlelog_embedded.sandbox.markets import Markets
from candlelog_embedded.sandbox.refusals import refusal
from candlelog_embedded.sandbox.statistics import Arrival, Statistics

_SLOW_MINUTES: Final = 1 << 17


class Venue:
    """Everything a request meets, in the order it meets it: counters, gate, answer, fault."""

    def __init__(self, markets: Markets, clock: Clock, random: Random) -> None:
        self.markets = markets
        self.clock = OffsetClock(clock)
        self.limiter = Limiter()
        self.faults = FaultPlan(random)
        self.statistics = Statistics()
        self.latency_seconds = 0.0
        self._binance = Binance(markets, self.limiter)

    async def ask(self, path: str, query: Query) -> Answer:
        """The answer to one request, counted now; its delay is left to whoever sends it."""
        now = self.clock.milliseconds()
        verdict = self._count(path, query, now)
        if verdict is not Verdict.ADMITTED:
            return self._stamped(refusal(verdict, self.limiter, now), now)
        rule = self.faults.draw(path, query)
        answer = await self._answer(path, query, now)
        if rule is not None:
            around = Circumstances(rule, self.limiter, self.faults.random, now)
            answer = FAULTS[rule.kind].apply(answer, around)
        return self._stamped(answer, now)

    async def _answer(self, path: str, query: Query, now: int) -> Answer:
        if self._binance.minutes_to_fold(path, query) > _SLOW_MINUTES:
            # Years of minutes take a good part of a second, which others need not wait for.
            return await asyncio.to_thread(self._binance.answer, path, query, now)
        return self._binance.answer(path, query, now)

    def _count(self, path: str, query: Query, now: int) -> Verdict:
        cost = weight(path)
        verdict = self.limiter.arrive(cost, now)
        symbol = query.get("symbol")
        arrival = Arrival(
            now,
            path if known_path(path) else "unknown",
            symbol,
            query.get("interval"),
            query.get("startTime"),
            query.get("endTime"),
            cost,
            verdict,
        )
        self.statistics.count(arrival, listed=symbol in self.markets.listings)
        return verdict

    def _stamped(self, answer: Answer, now: int) -> Answer:
        headers = {
            **answer.headers,
            "Date": formatdate(now // 1000, usegmt=True),
            "X-MBX-USED-WEIGHT": (used := str(self.limiter.used(now))),
            "X-MBX-USED-WEIGHT-1M": used,
        }
        wait = self.latency_seconds + answer.wait_seconds
        return replace(answer, headers=headers, wait_seconds=wait)
