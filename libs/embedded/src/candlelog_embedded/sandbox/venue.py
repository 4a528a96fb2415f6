"""The sandbox as one thing: markets, gates, faults, clock and counters, without any network."""

from dataclasses import replace
from email.utils import formatdate
from random import Random
from typing import Final

from candlelog.clock import Clock
from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.clock import OffsetClock
from candlelog_embedded.sandbox.counter import Counter
from candlelog_embedded.sandbox.dialects import FUTURES, SPOT, Query
from candlelog_embedded.sandbox.faults import Circumstances, FaultPlan
from candlelog_embedded.sandbox.houses import BinanceHouse, House, KrakenHouse
from candlelog_embedded.sandbox.kraken import BASE
from candlelog_embedded.sandbox.limiter import Limiter, Rules, Verdict
from candlelog_embedded.sandbox.markets import Markets
from candlelog_embedded.sandbox.statistics import Arrival, Statistics

OF_FUTURES: Final = 2400
"""Weight a minute."""


class Venue:
    """Everything a request meets, in the order it meets it: counters, gate, answer, fault."""

    def __init__(self, markets: Markets, clock: Clock, random: Random) -> None:
        self.markets = markets
        self.clock = OffsetClock(clock)
        self.limiter = Limiter()
        self.futures = Limiter(Rules(OF_FUTURES))
        self.kraken = Counter()
        self.faults = FaultPlan(random)
        self.statistics = Statistics()
        self.latency_seconds = 0.0
        self._spot = BinanceHouse(SPOT, markets, self.limiter)
        self._houses: dict[str, House] = {
            f"{FUTURES.base}/": BinanceHouse(FUTURES, markets, self.futures),
            f"{BASE}/": KrakenHouse(markets, self.kraken),
        }

    async def ask(self, path: str, query: Query) -> Answer:
        """The answer to one request, counted now; its delay is left to whoever sends it."""
        house = self._house(path)
        now = self.clock.milliseconds()
        verdict = self._count(house, path, query, now)
        if verdict is not Verdict.ADMITTED:
            return self._stamped(house.refuse(verdict, now), house, now)
        drawn = self.faults.draw(path, query)
        answer = await house.answer(path, query, now)
        if drawn is not None:
            around = Circumstances(drawn.rule, house.limiter, self.faults.random, now)
            answer = self.faults.strike(drawn, answer, around)
        return self._stamped(answer, house, now)

    def _house(self, path: str) -> House:
        found = (house for base, house in self._houses.items() if path.startswith(base))
        return next(found, self._spot)

    def _count(self, house: House, path: str, query: Query, now: int) -> Verdict:
        asked = house.arrival(path, query)
        verdict = house.limiter.arrive(asked.weight, now)
        listed = asked.symbol in self.markets.listings
        self.statistics.count(Arrival(now, asked, verdict), listed=listed)
        return verdict

    def _stamped(self, answer: Answer, house: House, now: int) -> Answer:
        headers = {
            **answer.headers,
            "Date": formatdate(now // 1000, usegmt=True),
            **house.stamps(now),
        }
        wait = self.latency_seconds + answer.wait_seconds
        return replace(answer, headers=headers, wait_seconds=wait)
