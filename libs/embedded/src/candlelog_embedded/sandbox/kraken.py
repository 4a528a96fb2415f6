"""The REST interface of Kraken, as far as Candlelog uses it.

What sets it apart: only the newest candles are answered, whatever was asked; minutes in which
nothing was traded have no row; errors come with status 200; and names are Kraken's own.
"""

from collections.abc import Callable
from decimal import Decimal
from email.utils import formatdate
from typing import Any, Final

import numpy as np
import orjson

from candlelog.errors import Invalid
from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.columns import QUOTE_VOLUME, TRADES, VOLUME, Columns
from candlelog_embedded.sandbox.dialects import Query
from candlelog_embedded.sandbox.intervals import INTERVALS, Interval
from candlelog_embedded.sandbox.markets import Listing, Markets
from candlelog_embedded.sandbox.paging import Question, page
from candlelog_embedded.sandbox.sources import Source

BASE: Final = "/0/public"
NEWEST: Final = 720
"""Candles of one answer, the open one among them."""

_INTERVALS: Final = {
    str(INTERVALS[name].minutes): INTERVALS[name]
    for name in ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
}
_OTHER_NAMES: Final = {"BTC": "XBT", "DOGE": "XDG"}
_OLD_COINS: Final = {"XBT", "XDG", "ETH", "LTC", "XRP", "ETC", "XLM", "XMR", "ZEC"}
_MONEY: Final = {"USD", "EUR", "GBP", "JPY", "CAD", "AUD"}


class Kraken:
    """Answers questions about the listed markets."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._symbols = {
            name: symbol
            for symbol, listing in markets.listings.items()
            for name in (_pair(listing), _altname(listing))
        }
        self._calls: dict[str, Callable[[Query, int], Any]] = {
            f"{BASE}/Time": _time,
            f"{BASE}/Assets": lambda _query, _now: self._assets(),
            f"{BASE}/AssetPairs": self._asset_pairs,
            f"{BASE}/OHLC": self._ohlc,
        }

    def knows(self, path: str) -> bool:
        """Whether the venue has something there."""
        return path in self._calls

    def symbol(self, pair: str) -> str | None:
        """The listing that Kraken calls so."""
        return self._symbols.get(pair)

    def answer(self, path: str, query: Query, now: int) -> Answer:
        """The answer at venue time `now`, in milliseconds since the epoch."""
        call = self._calls.get(path)
        if call is None:
            return failure("EGeneral:Unknown method")
        try:
            return Answer(orjson.dumps({"error": [], "result": call(query, now)}))
        except Invalid as error:
            return failure(str(error))

    def _assets(self) -> dict[str, Any]:
        listings = self._markets.listings.values()
        return {
            _code(name): {"aclass": "currency", "altname": _name(name), "decimals": 10}
            for listing in listings
            for name in (listing.base, listing.quote)
        }

    def _asset_pairs(self, _query: Query, now: int) -> dict[str, Any]:
        return {
            _pair(listing): _entry(listing, trades=self._markets.tenure(symbol).trades(now))
            for symbol, listing in self._markets.known().items()
        }

    def _ohlc(self, query: Query, now: int) -> dict[str, Any]:
        symbol = self.symbol(query.get("pair", ""))
        source = None if symbol is None else self._markets.source(symbol)
        if symbol is None or source is None:
            raise Invalid("EQuery:Unknown asset pair")
        interval = _INTERVALS.get(query.get("interval", "1"))
        since = query.get("since", "0")
        if interval is None or not since.isdecimal() or len(since) > 15:
            raise Invalid("EGeneral:Invalid arguments")
        found = _newest(source, interval, now, self._markets.late)
        found = found.pick(found.open_time > int(since) * 1000)
        last = interval.advance(interval.floor(now), -1) // 1000
        return {_pair(self._markets.listings[symbol]): _rows(found), "last": last}


def failure(words: str) -> Answer:
    """An error as Kraken words it, with status 200."""
    return Answer(orjson.dumps({"error": [words]}))


def _time(_query: Query, now: int) -> dict[str, Any]:
    return {"unixtime": now // 1000, "rfc1123": formatdate(now // 1000, usegmt=True)}


def _newest(source: Source, interval: Interval, now: int, late: int) -> Columns:
    """The newest candles in which something was traded."""
    count = NEWEST
    while True:
        found = page(source, Question(interval, None, None, count), now, late)
        traded = found.pick(found.values[TRADES] > 0)
        if len(traded) >= NEWEST or len(found) < count:
            return traded.pick(slice(-NEWEST, None))
        count *= 2


def _rows(candles: Columns) -> list[list[Any]]:
    """Time in seconds, open, high, low, close, mean price, volume, trades."""
    texts = [
        [str(Decimal(units).scaleb(-decimals)) for units in column.tolist()]
        for column, decimals in zip(candles.values[: VOLUME + 1], candles.decimals, strict=False)
    ]
    volumes, quote_volumes = (
        candles.values[field] / 10.0 ** candles.decimals[field] for field in (VOLUME, QUOTE_VOLUME)
    )
    means = np.divide(quote_volumes, volumes, out=np.zeros(len(candles)), where=volumes > 0)
    times, trades = (candles.open_time // 1000).tolist(), candles.values[TRADES].tolist()
    return [
        [time, *prices, f"{mean:.8f}", volume, count]
        for time, *prices, volume, mean, count in zip(
            times, *texts, means.tolist(), trades, strict=True
        )
    ]


def _name(asset: str) -> str:
    return _OTHER_NAMES.get(asset, asset)


def _code(asset: str) -> str:
    """The oldest assets have a letter before their name."""
    name = _name(asset)
    prefix = "X" if name in _OLD_COINS else "Z" if name in _MONEY else ""
    return prefix + name


def _altname(listing: Listing) -> str:
    return _name(listing.base) + _name(listing.quote)


def _pair(listing: Listing) -> str:
    """Under its own name a pair of two old assets has their letters, any other has none."""
    codes = _code(listing.base), _code(listing.quote)
    old = codes[0] != _name(listing.base) and codes[1] != _name(listing.quote)
    return "".join(codes) if old else _altname(listing)


def _entry(listing: Listing, *, trades: bool) -> dict[str, Any]:
    return {
        "altname": _altname(listing),
        "wsname": f"{_name(listing.base)}/{_name(listing.quote)}",
        "aclass_base": "currency",
        "base": _code(listing.base),
        "aclass_quote": "currency",
        "quote": _code(listing.quote),
        "lot": "unit",
        "pair_decimals": listing.price_decimals,
        "lot_decimals": listing.volume_decimals,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "fee_volume_currency": "ZUSD",
        "ordermin": "1",
        "status": "online" if trades else "cancel_only",
    }
