"""The interfaces of the venue side by side, each with a limit of its own."""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.binance import Binance
from candlelog_embedded.sandbox.dialects import Dialect, Query
from candlelog_embedded.sandbox.kraken import Kraken, failure
from candlelog_embedded.sandbox.limiter import Limiter, Verdict
from candlelog_embedded.sandbox.markets import Markets
from candlelog_embedded.sandbox.refusals import refusal
from candlelog_embedded.sandbox.statistics import Asked

_SLOW_MINUTES: Final = 1 << 17


class House(Protocol):
    """One interface of the venue, with a limit of its own."""

    limiter: Limiter

    def arrival(self, path: str, query: Query) -> Asked:
        """What a request asks for, and what it costs."""
        ...

    def refuse(self, verdict: Verdict, now: int) -> Answer:
        """What it says to a request that was not admitted."""
        ...

    async def answer(self, path: str, query: Query, now: int) -> Answer:
        """What it says to one that was."""
        ...

    def stamps(self, now: int) -> Mapping[str, str]:
        """Headers of every answer."""
        ...


class BinanceHouse:
    """Spot, or futures."""

    def __init__(self, dialect: Dialect, markets: Markets, limiter: Limiter) -> None:
        self._dialect = dialect
        self.limiter = limiter
        self._binance = Binance(dialect, markets, limiter)

    def arrival(self, path: str, query: Query) -> Asked:
        """What a request asks for, and what it costs."""
        return Asked(
            path if self._dialect.knows(path) else "unknown",
            query.get("symbol"),
            query.get("interval"),
            query.get("startTime"),
            query.get("endTime"),
            self._dialect.weight(path, query),
        )

    def refuse(self, verdict: Verdict, now: int) -> Answer:
        """What it says to a request that was not admitted."""
        return refusal(verdict, self.limiter, now)

    async def answer(self, path: str, query: Query, now: int) -> Answer:
        """What it says to one that was."""
        if self._binance.minutes_to_fold(path, query) > _SLOW_MINUTES:
            # Years of minutes take a good part of a second, which others need not wait for.
            return await asyncio.to_thread(self._binance.answer, path, query, now)
        return self._binance.answer(path, query, now)

    def stamps(self, now: int) -> Mapping[str, str]:
        """Headers of every answer."""
        used = str(self.limiter.used(now))
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}


class KrakenHouse:
    """Kraken, whose limit is a counter."""

    def __init__(self, markets: Markets, limiter: Limiter) -> None:
        self._kraken = Kraken(markets)
        self.limiter = limiter

    def arrival(self, path: str, query: Query) -> Asked:
        """What a request asks for, and what it costs."""
        known = path if self._kraken.knows(path) else "unknown"
        symbol = self._kraken.symbol(query.get("pair", ""))
        return Asked(known, symbol, query.get("interval"), query.get("since"), None, 1)

    def refuse(self, verdict: Verdict, now: int) -> Answer:
        """What it says to a request that was not admitted."""
        if verdict is Verdict.BANNED:
            return refusal(verdict, self.limiter, now)
        return failure("EAPI:Rate limit exceeded")

    async def answer(self, path: str, query: Query, now: int) -> Answer:
        """What it says to one that was."""
        return await asyncio.to_thread(self._kraken.answer, path, query, now)

    def stamps(self, now: int) -> Mapping[str, str]:
        """Headers of every answer."""
        del now
        return {}
