"""The REST interface of Binance, spot and USD-M futures, as far as Candlelog uses it."""

import re
from collections.abc import Callable
from typing import Final, cast

import orjson

from candlelog.errors import Invalid
from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.dialects import Dialect, Query
from candlelog_embedded.sandbox.intervals import INTERVALS
from candlelog_embedded.sandbox.limiter import Limiter
from candlelog_embedded.sandbox.markets import Markets
from candlelog_embedded.sandbox.paging import Question, page
from candlelog_embedded.sandbox.rendering import kline_rows
from candlelog_embedded.sandbox.tenure import ALWAYS

_UNLIMITED: Final = 1_000_000_000  # stated where there is no limit: clients keep to what is stated
_LARGEST_NUMBER: Final = 10**15  # as a time it is past the year 30000
_NUMBER: Final = re.compile(r"[0-9]{1,20}")
_SYMBOL: Final = re.compile(r"[A-Z0-9-_.]{1,20}")


class Refused(Exception):
    """A question the venue declines, with Binance's code and words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.answer = failure(400, code, message)


def failure(status: int, code: int, message: str) -> Answer:
    """An answer of the shape all of Binance's errors have."""
    return Answer(orjson.dumps({"code": code, "msg": message}), status)


def asked_times(query: Query) -> tuple[int, int]:
    """The first and the last millisecond a klines question asks for, as far as it says."""
    given = [query.get(name, "") for name in ("startTime", "endTime")]
    start, end = (int(text) if _NUMBER.fullmatch(text) else None for text in given)
    return start or 0, _LARGEST_NUMBER if end is None else end


class Binance:
    """Answers questions about the listed markets; stateless but for what the switches change."""

    def __init__(self, dialect: Dialect, markets: Markets, limiter: Limiter) -> None:
        self._dialect = dialect
        self._markets = markets
        self._limiter = limiter
        self._entries = {
            symbol: orjson.Fragment(orjson.dumps(dialect.entry(listing, ALWAYS, 0)))
            for symbol, listing in markets.listings.items()
        }
        self._calls: dict[str, Callable[[Query, int], bytes]] = {
            f"{dialect.base}/ping": lambda _query, _now: b"{}",
            f"{dialect.base}/time": lambda _query, now: orjson.dumps({"serverTime": now}),
            f"{dialect.base}/exchangeInfo": self._exchange_info,
            f"{dialect.base}/klines": self._klines,
        }

    def answer(self, path: str, query: Query, now: int) -> Answer:
        """The answer at venue time `now`, in milliseconds since the epoch."""
        call = self._calls.get(path)
        if call is None:
            return Answer(b"<html><body>404 Not found</body></html>", 404, content_type="text/html")
        try:
            return Answer(call(query, now))
        except Refused as refused:
            return refused.answer
        except Invalid as error:
            return failure(500, -1000, f"An archive file cannot be served: {error}")

    def minutes_to_fold(self, path: str, query: Query) -> int:
        """About how many minutes an answer is made from: whether it is a matter of seconds."""
        interval = INTERVALS.get(query.get("interval", ""))
        if not self._dialect.asks_candles(path) or interval is None:
            return 0
        return self._dialect.rows(query) * interval.minutes

    def _klines(self, query: Query, now: int) -> bytes:
        symbol = _required(query, "symbol", _SYMBOL)
        name = _required(query, "interval")
        source = self._markets.source(symbol)
        if source is None:
            raise Refused(-1121, "Invalid symbol.")
        interval = INTERVALS.get(name)
        if interval is None:
            raise Refused(-1120, "Invalid interval.")
        limit = _optional_number(query, "limit")
        if limit == 0:
            raise Refused(-1130, "Data sent for parameter 'limit' is not valid.")
        question = Question(
            interval,
            _optional_number(query, "startTime"),
            _optional_number(query, "endTime"),
            self._dialect.rows(query),
        )
        return kline_rows(page(source, question, now, self._markets.late), interval)

    def _exchange_info(self, query: Query, now: int) -> bytes:
        entries = [self._entry(symbol, now) for symbol in self._asked_symbols(query)]
        capacity = self._limiter.rules.capacity
        limits = [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": _UNLIMITED if capacity is None else capacity,
            }
        ]
        return orjson.dumps(
            {
                "timezone": "UTC",
                "serverTime": now,
                "rateLimits": limits,
                "exchangeFilters": [],
                "symbols": entries,
            }
        )

    def _entry(self, symbol: str, now: int) -> object:
        tenure = self._markets.tenure(symbol)
        if tenure == ALWAYS:
            return self._entries[symbol]
        return self._dialect.entry(self._markets.listings[symbol], tenure, now)

    def _asked_symbols(self, query: Query) -> list[str]:
        known = self._markets.known()
        symbols = list(known)
        if "symbol" in query:
            symbols = [query["symbol"]]
        elif "symbols" in query:
            symbols = _symbol_list(query["symbols"])
        if any(symbol not in known for symbol in symbols):
            raise Refused(-1121, "Invalid symbol.")
        return symbols


def _required(query: Query, name: str, pattern: re.Pattern[str] | None = None) -> str:
    value = query.get(name, "")
    if not value:
        message = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        raise Refused(-1102, message)
    if pattern is not None:
        _check_characters(name, value, pattern)
    return value


def _optional_number(query: Query, name: str) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    _check_characters(name, value, _NUMBER)
    return min(int(value), _LARGEST_NUMBER)


def _check_characters(name: str, value: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(value):
        legal = f"legal range is '^{pattern.pattern}$'."
        raise Refused(-1100, f"Illegal characters found in parameter '{name}'; {legal}")


def _symbol_list(text: str) -> list[str]:
    try:
        symbols = orjson.loads(text)
    except orjson.JSONDecodeError:
        symbols = None
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise Refused(-1100, "Illegal characters found in parameter 'symbols'; a JSON list is due.")
    return cast("list[str]", symbols)
