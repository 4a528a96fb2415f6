"""Venues through ccxt: the only module that imports it.

ccxt knows how each venue names its markets, where its endpoints are and what its error messages
mean. How a request is written, paced, repeated and judged is ours: ccxt's own `fetch` and throttler
never run.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any, Final, cast

import orjson
import structlog

from candlelog.clock import Clock
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from fetcher.adapters.binance import FUTURES, SPOT
from fetcher.adapters.dialect import Dialect, Listed, Wanted
from fetcher.adapters.kraken import Kraken
from fetcher.adapters.wire import HttpAnswer, Wire, open_wire
from fetcher.domain.answers import DEFAULT_PAUSE, date_of, excerpt, failure_of, not_understood
from fetcher.domain.failures import Permanent, RateLimited, Transient, VenueFailure
from fetcher.domain.venue_time import TimeReading
from fetcher.ports import Answer, Gate, MarketList, RawPage

_OPTIONS: Final[Mapping[str, Any]] = {
    # parse_market of Binance looks these up; without a key they are empty in ccxt too
    "crossMarginPairsData": [],
    "isolatedMarginPairsData": [],
}
_DIALECTS: Final[Mapping[str, Dialect]] = {
    "binance": SPOT,
    "binanceusdm": FUTURES,
    "kraken": Kraken(),
}

_LOGGER: Final = structlog.get_logger()
_ODD_AT_MOST: Final = 0.1
"""Where more entries of a list, for each that is understood, are not: the list is another one."""

_MISSHAPEN: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading an answer raises, in our code or ccxt's, where it is of another shape."""


@dataclass(slots=True)
class _Call:
    """What goes down through ccxt to the wire, and what comes back beside the parsed body."""

    gate: Gate
    answer: HttpAnswer | None = None


_CALL: ContextVar[_Call] = ContextVar("call")


class CcxtExchange:
    """`Exchange` on a ccxt class."""

    def __init__(self, venue: ExchangeProfile, foreign: Any) -> None:
        self._venue = venue
        self._foreign = foreign
        self._dialect = _DIALECTS[venue.ccxt_id]
        self._ids: dict[str, str] = {}

    async def time(self, gate: Gate) -> Answer[TimeReading]:
        """The venue's clock."""
        body, answer = await self._ask(self._dialect.endpoint.time, {}, gate)
        with _understood(body):
            clock = self._dialect.clock(body)
        reading = TimeReading(answer.sent, answer.received, clock.seconds, clock.resolution)
        return self._with(answer, reading)

    async def markets(self, gate: Gate) -> Answer[MarketList]:
        """Everything the venue lists."""
        body, answer = await self._ask(self._dialect.endpoint.markets, {}, gate)
        with _understood(body):
            # Having ccxt name a thousand markets takes a while.
            listed = await asyncio.to_thread(self._listed, list(self._dialect.entries(body)))
            capacity = self._dialect.capacity(body, self._venue.budgets[0])
        # One that is no longer listed may still be waited for: the venue will say so.
        self._ids |= {each.market.symbol: each.id for each in listed}
        return self._with(answer, MarketList(tuple(each.market for each in listed), capacity))

    def _listed(self, entries: list[Any]) -> list[Listed]:
        """The markets of a list. A few entries of another shape take no other with them: they are
        left out, and told of."""
        from ccxt.base.errors import BaseError  # noqa: PLC0415 -- imported when a venue is opened

        found, odd = list[Listed](), list[Any]()
        for entry in entries:
            try:
                listed = self._dialect.listed(self._foreign, entry)
            except (BaseError, *_MISSHAPEN):
                odd.append(entry)
            else:
                if listed is not None:
                    found.append(listed)
        if len(odd) > _ODD_AT_MOST * len(found):
            raise not_understood(_text(odd[0]))
        if odd:
            said, number = excerpt(_text(odd[0])), len(odd)
            _LOGGER.warning(
                "markets_left_out", exchange=self._venue.name, number=number, first=said
            )
        return found

    async def candles(
        self, symbol: str, timeframe: str, window: TimeRange, gate: Gate, *, most: int
    ) -> Answer[RawPage]:
        """The rows of `window`, the first `most` of them."""
        wanted = Wanted(
            self._ids[symbol],
            Timeframe.parse(timeframe),
            self._foreign.timeframes[timeframe],
            window,
            most,
        )
        question = self._dialect.question(wanted)
        body, answer = await self._ask(self._dialect.endpoint.candles, question, gate)
        with _understood(body):
            page = self._dialect.page(answer.body, body, wanted)
        return self._with(answer, page)

    async def _ask(
        self, name: str, question: Mapping[str, Any], gate: Gate
    ) -> tuple[Any, HttpAnswer]:
        method = getattr(self._foreign, f"{self._dialect.endpoint.section}Get{name}")
        call = _Call(gate)
        token = _CALL.set(call)
        try:
            body = await method(question)
        finally:
            _CALL.reset(token)
        assert call.answer is not None
        return body, call.answer

    def _with(self, answer: HttpAnswer, said: Any) -> Answer[Any]:
        used, date = self._dialect.used(answer.headers), date_of(answer.headers)
        return Answer(said, answer.sent, answer.received, used, date)


@asynccontextmanager
async def open_exchange(
    venue: ExchangeProfile, *, origin: str | None, clock: Clock, connections: int
) -> AsyncGenerator[CcxtExchange]:
    """A venue, at its own address or at `origin` (scheme, host and port). Contacts nobody."""
    kind = await asyncio.to_thread(_foreign_class, venue.ccxt_id)
    async with open_wire(clock, connections=connections, answer_seconds=10.0) as wire:
        foreign = kind({"enableRateLimit": False, "options": dict(_OPTIONS)})
        foreign.wire = wire
        if origin is not None:
            endpoint = _DIALECTS[venue.ccxt_id].endpoint
            foreign.urls["api"][endpoint.section] = f"{origin.rstrip('/')}{endpoint.path}"
        try:
            yield CcxtExchange(venue, foreign)
        finally:
            await foreign.close()


@contextmanager
def _understood(body: Any) -> Generator[None]:
    """What the venue wrote is read inside, by us and by ccxt: any shape of it may be wrong."""
    from ccxt.base.errors import BaseError  # noqa: PLC0415 -- imported when a venue is opened

    try:
        yield
    except (BaseError, *_MISSHAPEN) as error:
        raise not_understood(_text(body)) from error


def _text(body: Any) -> str:
    try:
        return str(body)
    except RecursionError:
        return "lists in lists, too deep to be written"


def _foreign_class(ccxt_id: str) -> type[Any]:
    """ccxt's class with `fetch` replaced by ours."""
    _spare_other_venues()
    kind = getattr(import_module(f"ccxt.async_support.{ccxt_id}"), ccxt_id)

    async def fetch(self: Any, url: str, *_: Any) -> Any:
        # Public market data: method, headers and body say nothing beyond the URL.
        call = _CALL.get()
        call.answer = await cast("Wire", self.wire).get(url, call.gate)
        return _read(self, url, call.answer)

    return type(f"Candlelog{ccxt_id.title()}", (kind,), {"fetch": fetch, "timeout_on_exit": 0})


def _spare_other_venues() -> None:
    """Put a package `ccxt` in place that does not import its hundred venues.

    Importing ccxt as it comes takes 5 s of processor and 118 MB; one class alone takes 0.8 s and
    69 MB. ccxt's own modules need of their package no more than the errors and the base class.
    """
    if "ccxt" in sys.modules:
        return
    for name in ("ccxt", "ccxt.async_support"):
        spec = find_spec(name)
        assert spec is not None
        sys.modules[name] = module_from_spec(spec)
    from ccxt.base import errors  # noqa: PLC0415 -- the package must be in place before

    vars(sys.modules["ccxt"]).update(
        {name: value for name, value in vars(errors).items() if not name.startswith("_")}
    )
    from ccxt.base.exchange import Exchange  # noqa: PLC0415 -- needs the errors in place

    vars(sys.modules["ccxt"])["Exchange"] = Exchange


def _read(foreign: Any, url: str, answer: HttpAnswer) -> Any:
    """The parsed body, or the failure that status, headers and the venue's own words mean.

    A list holds no words of the venue, only rows: who asked for them reads them.
    """
    start = answer.body[:1000].decode(errors="replace")
    failure = failure_of(answer.status, answer.headers, start)
    if isinstance(failure, RateLimited):
        raise failure
    if failure is None and answer.body.lstrip()[:1] == b"[":
        return None
    try:
        parsed = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise failure or not_understood(start) from error
    if isinstance(parsed, dict) and (words := _words(foreign, url, answer, parsed)) is not None:
        raise words
    if failure is not None:
        raise failure
    return parsed


def _words(foreign: Any, url: str, answer: HttpAnswer, parsed: Any) -> VenueFailure | None:
    """What the venue's own error code means, as far as ccxt knows it."""
    from ccxt.base import errors  # noqa: PLC0415 -- imported when a venue is opened, not before

    text = answer.body.decode(errors="replace")
    try:
        foreign.handle_errors(
            answer.status, "", url, "GET", dict(answer.headers), text, parsed, {}, None
        )
    except errors.BadSymbol as error:
        return Permanent("unknown_symbol", excerpt(str(error)))
    except (errors.DDoSProtection, errors.RateLimitExceeded) as error:
        return RateLimited(excerpt(str(error)), DEFAULT_PAUSE)
    except errors.OperationFailed as error:
        return Transient("venue_error", excerpt(str(error)))
    except (errors.BaseError, *_MISSHAPEN):
        return None  # the status says it better, or who asked
    return None
