"""Kraken: only the newest candles, whatever is asked; errors in a 200; a clock of seconds."""

from collections.abc import Iterable
from typing import Any, Final

import orjson

from candlelog.events.markets import Market
from candlelog.market.pages import Layout
from candlelog.market.profile import BudgetProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import from_milliseconds
from fetcher.adapters.dialect import Clock, Endpoint, Headers, Listed, Question, Wanted
from fetcher.domain.answers import DEFAULT_PAUSE, excerpt
from fetcher.domain.failures import Permanent, RateLimited, Transient
from fetcher.ports import RawPage

_ROW: Final = Layout(width=8, unit=1000, prices=(1, 2, 3, 4, 6), trades=7)
_ENDPOINT: Final = Endpoint("public", "", time="Time", markets="AssetPairs", candles="OHLC")
_NOT_A_PAIR: Final = ":"
"""In the names of synthetic markets."""


class Kraken:
    """`Dialect` of Kraken's spot market."""

    endpoint = _ENDPOINT

    def clock(self, body: Any) -> Clock:
        """The venue's time."""
        return Clock(float(_result(body)["unixtime"]), 1.0)

    def entries(self, body: Any) -> Iterable[Any]:
        """The pairs by name."""
        return _result(body).items()

    def listed(self, foreign: Any, entry: Any) -> Listed | None:
        """The pair, its assets as ccxt names them: `XXBT` is BTC."""
        pair, said = entry
        if _NOT_A_PAIR in pair:
            return None
        base, quote = (foreign.safe_currency_code(said[side]) for side in ("base", "quote"))
        return Listed(Market(symbol=f"{base}/{quote}", active=said.get("status") == "online"), pair)

    def capacity(self, body: Any, budget: BudgetProfile) -> float | None:
        """It states none."""
        del body, budget

    def question(self, wanted: Wanted) -> Question:
        """Rows after a time, up to now: there is no end to ask for."""
        before = wanted.timeframe.advance(wanted.window.start, -1)
        return {
            "pair": wanted.id,
            "interval": wanted.interval,
            "since": int(before.timestamp()),
        }

    def page(self, text: bytes, body: Any, wanted: Wanted) -> RawPage:
        """The rows of the window, from the oldest row of a full answer on: of what lies before it
        nothing was said. Raises `Permanent` where that is all of it."""
        del text
        [rows] = (rows for name, rows in _result(body).items() if name != "last")
        window = wanted.window
        stamps = [row[0] if row and type(row[0]) is int else None for row in rows]
        if len(rows) >= wanted.page_size:
            stated = next(filter(None, stamps), None)
            if stated is None:
                raise ValueError("no row says when it is")
            oldest = from_milliseconds(stated * 1000)
            if oldest >= window.end:
                raise Permanent(
                    "out_of_reach",
                    f"the venue answers its newest {wanted.page_size} candles alone, from "
                    f"{oldest.isoformat()} on; older ones are in its files",
                )
            window = TimeRange(max(window.start, oldest), window.end)
        first, end = (int(time.timestamp()) for time in (window.start, window.end))
        # What does not say where it belongs is kept, for whoever reads the page to refuse.
        rows = [
            row
            for row, stamp in zip(rows, stamps, strict=True)
            if stamp is None or first <= stamp < end
        ]
        return RawPage(orjson.dumps(rows), _ROW, window)

    def used(self, headers: Headers) -> float | None:
        """It does not say."""
        del headers


def _result(body: Any) -> dict[str, Any]:
    """What was asked for. Raises what the words of an error mean, as far as ccxt did not know."""
    if errors := [error.replace(": ", ":") for error in body["error"]]:
        said = excerpt("; ".join(errors))
        if any(error.startswith("EService:Throttled") for error in errors):
            raise RateLimited(said, DEFAULT_PAUSE)
        if any(error.startswith("EQuery:") for error in errors):
            raise Permanent("unknown_symbol", said)
        if any(error.startswith("EGeneral:Invalid arguments") for error in errors):
            raise Permanent("bad_request", said)
        raise Transient("venue_error", said)
    return body["result"]
