"""Binance, spot and USD-M futures: pages by time, weights counted in headers, a limit stated."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from candlelog.events.markets import Market
from candlelog.market.pages import Layout
from candlelog.market.profile import BudgetProfile
from candlelog.market.timeframe import milliseconds
from fetcher.adapters.dialect import Clock, Endpoint, Headers, Listed, Question, Wanted
from fetcher.domain.answers import count
from fetcher.ports import RawPage

_ROW: Final = Layout(width=12, quote_volume=7, trades=8)
_USED_WEIGHT: Final = "x-mbx-used-weight-1m"
_SECONDS: Final = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}


@dataclass(frozen=True, slots=True)
class Binance:
    """`Dialect` of the family; `kind` says which of ccxt's markets are its own."""

    endpoint: Endpoint
    kind: str

    def clock(self, body: Any) -> Clock:
        """The venue's time."""
        return Clock(float(body["serverTime"]) / 1000, 0.001)

    def entries(self, body: Any) -> Iterable[Any]:
        """The symbols."""
        return body["symbols"]

    def listed(self, foreign: Any, entry: Any) -> Listed | None:
        """The market, as ccxt names it."""
        market = foreign.parse_market(entry)
        if not market[self.kind]:
            return None
        named = Market(symbol=market["symbol"], active=bool(market["active"]))
        return Listed(named, market["id"])

    def capacity(self, body: Any, budget: BudgetProfile) -> float | None:
        """The limit of that name and length."""
        for limit in body.get("rateLimits") or ():
            length = _SECONDS.get(limit.get("interval"), 0) * int(limit.get("intervalNum", 0))
            if limit.get("rateLimitType") == budget.name and length == budget.window_seconds:
                return count(str(limit.get("limit"))) or None
        return None

    def question(self, wanted: Wanted) -> Question:
        """From the first slot to the last, both inclusive."""
        return {
            "symbol": wanted.id,
            "interval": wanted.interval,
            "startTime": milliseconds(wanted.window.start),
            "endTime": milliseconds(wanted.window.end) - 1,
            "limit": wanted.page_size,
        }

    def page(self, text: bytes, body: Any, wanted: Wanted) -> RawPage:
        """The text as it came."""
        del body
        return RawPage(text, _ROW, wanted.window)

    def used(self, headers: Headers) -> float | None:
        """The weight used in this minute by everybody behind this address."""
        return count(headers.get(_USED_WEIGHT, ""))


SPOT: Final = Binance(
    Endpoint("public", "/api/v3", time="Time", markets="ExchangeInfo", candles="Klines"), "spot"
)
FUTURES: Final = Binance(
    Endpoint("fapiPublic", "/fapi/v1", time="Time", markets="ExchangeInfo", candles="Klines"),
    "swap",
)
