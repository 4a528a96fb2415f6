"""The switches of the sandbox over HTTP: `/_sandbox/…`, JSON in and out."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from candlelog.errors import Invalid
from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.corrections import Corrections
from candlelog_embedded.sandbox.counter import CounterRules
from candlelog_embedded.sandbox.dialects import Query
from candlelog_embedded.sandbox.faults import FaultRule
from candlelog_embedded.sandbox.limiter import Limiter, Rules
from candlelog_embedded.sandbox.tenure import Tenure
from candlelog_embedded.sandbox.venue import Venue

PREFIX: Final = "/_sandbox/"

_SHOWN_ARRIVALS: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Switch(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LimitSwitch(_Switch):
    """The request limit of spot, or of futures; a field left out goes to spot's first value,
    `capacity` null is none."""

    market: Literal["spot", "futures"] = "spot"

    capacity: Annotated[int, Field(ge=1)] | None = 6000
    ban_after: int = Field(default=10, ge=0)
    ban_seconds: float = Field(default=120.0, gt=0.0)


class KrakenSwitch(_Switch):
    """The counter of Kraken's requests; a field left out goes to its first value, `burst` null is
    no limit."""

    burst: Annotated[float, Field(ge=1)] | None = 3.0
    decay: float = Field(default=1.0, gt=0.0)


class LatencySwitch(_Switch):
    """How long every answer takes."""

    milliseconds: float = Field(ge=0.0)


class LateSwitch(_Switch):
    """For how long candles still change after their close."""

    seconds: float = Field(ge=0.0)


class ClockSwitch(_Switch):
    """How far the venue's clock is ahead of the machine's; negative is behind."""

    offset_seconds: float


class BanSwitch(_Switch):
    """Answer 418 to everything for that long."""

    seconds: float = Field(gt=0.0)


class FaultSwitch(_Switch):
    """The fault rules in force from now on, and optionally a new seed."""

    faults: tuple[FaultRule, ...]
    seed: int | None = None


class HoleSwitch(_Switch):
    """All holes of one symbol: half-open ranges of time without rows."""

    symbol: str
    ranges: tuple[tuple[AwareDatetime, AwareDatetime], ...]


class CorrectionsSwitch(_Switch):
    """Which share of minutes was corrected, and how often so far."""

    share: float = Field(ge=0, le=1)
    round: int = Field(ge=0, le=2)


class ListingSwitch(_Switch):
    """When a symbol is listed; null and what is left out is as at the start."""

    symbol: str
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    gone: bool = False


class Control:
    """Turns switches and tells the counts."""

    def __init__(self, venue: Venue, start: Callable[[Venue], None]) -> None:
        self._venue = venue
        self._start = start
        self._posts: dict[str, Callable[[bytes], None]] = {
            "limits": self._limits,
            "kraken": self._kraken,
            "latency": self._latency,
            "late": self._late,
            "corrections": self._corrections,
            "clock": self._clock,
            "ban": self._ban,
            "faults": self._faults,
            "holes": self._holes,
            "listing": self._listing,
            "reset": self._reset,
        }

    def answer(self, method: str, path: str, query: Query, body: bytes) -> Answer:
        """The answer to a request below `PREFIX`."""
        name = path.removeprefix(PREFIX)
        if method == "GET" and name in ("stats", "state"):
            return _json(self._stats(query) if name == "stats" else self._state())
        switch = self._posts.get(name) if method == "POST" else None
        if switch is None:
            names = ", ".join(self._posts)
            return _json({"error": f"GET stats or state, or POST one of {names}"}, 404)
        try:
            switch(body)
        except ValidationError as error:
            return _json({"error": _first(error)}, 422)
        except Invalid as error:
            return _json({"error": str(error)}, 422)
        return _json(self._state())

    def _limits(self, body: bytes) -> None:
        switch = LimitSwitch.model_validate_json(body)
        venue = self._venue
        limiter = venue.limiter if switch.market == "spot" else venue.futures
        limiter.rules = Rules(switch.capacity, switch.ban_after, switch.ban_seconds)

    def _kraken(self, body: bytes) -> None:
        switch = KrakenSwitch.model_validate_json(body)
        self._venue.kraken.counter_rules = CounterRules(switch.burst, switch.decay)

    def _latency(self, body: bytes) -> None:
        switch = LatencySwitch.model_validate_json(body)
        self._venue.latency_seconds = switch.milliseconds / 1000

    def _late(self, body: bytes) -> None:
        self._venue.markets.late = int(LateSwitch.model_validate_json(body).seconds * 1000)

    def _corrections(self, body: bytes) -> None:
        switch = CorrectionsSwitch.model_validate_json(body)
        self._venue.markets.corrections = Corrections(switch.share, switch.round)

    def _clock(self, body: bytes) -> None:
        self._venue.clock.offset_seconds = ClockSwitch.model_validate_json(body).offset_seconds

    def _ban(self, body: bytes) -> None:
        venue = self._venue
        venue.limiter.ban(BanSwitch.model_validate_json(body).seconds, venue.clock.milliseconds())

    def _faults(self, body: bytes) -> None:
        switch = FaultSwitch.model_validate_json(body)
        if switch.seed is not None:
            self._venue.faults.random.seed(switch.seed)
        self._venue.faults.replace(switch.faults)

    def _holes(self, body: bytes) -> None:
        switch = HoleSwitch.model_validate_json(body)
        ranges = [(milliseconds(start), milliseconds(end)) for start, end in switch.ranges]
        self._venue.markets.set_holes(switch.symbol, ranges)

    def _listing(self, body: bytes) -> None:
        switch = ListingSwitch.model_validate_json(body)
        since, until = (
            None if time is None else milliseconds(time) for time in (switch.since, switch.until)
        )
        self._venue.markets.set_tenure(switch.symbol, Tenure(since, until, switch.gone))

    def _reset(self, _body: bytes) -> None:
        self._venue.statistics.forget()
        self._venue.limiter.forget()
        self._venue.futures.forget()
        self._venue.kraken.forget()
        self._venue.faults.struck.clear()
        self._start(self._venue)

    def _state(self) -> dict[str, Any]:
        venue = self._venue
        return {
            "limits": asdict(venue.limiter.rules),
            "futures_limits": asdict(venue.futures.rules),
            "kraken": asdict(venue.kraken.counter_rules),
            "banned_until": venue.limiter.banned_until,
            "latency_milliseconds": venue.latency_seconds * 1000,
            "late_milliseconds": venue.markets.late,
            "corrections": asdict(venue.markets.corrections),
            "clock_offset_seconds": venue.clock.offset_seconds,
            "now": venue.clock.milliseconds(),
            "faults": [rule.model_dump(exclude_none=True) for rule in venue.faults.rules],
            "holes": venue.markets.holes(),
            "listing": {
                symbol: asdict(tenure) for symbol, tenure in venue.markets.tenures().items()
            },
            "symbols": len(venue.markets.listings),
        }

    def _stats(self, query: Query) -> dict[str, Any]:
        venue, statistics = self._venue, self._venue.statistics
        shown = query.get("arrivals", "")
        count = int(shown) if shown.isdecimal() else _SHOWN_ARRIVALS
        newest = list(islice(reversed(statistics.arrivals), count))
        return {
            "now": venue.clock.milliseconds(),
            "requests": statistics.paths,
            "symbols": statistics.symbols,
            **_counted(venue.limiter),
            "futures": _counted(venue.futures),
            "kraken": _counted(venue.kraken),
            "faults": venue.faults.struck,
            "arrivals": [
                {"at": at, **asked._asdict(), "verdict": verdict}
                for at, asked, verdict in newest[::-1]
            ],
        }


def _counted(limiter: Limiter) -> dict[str, Any]:
    windows = list(limiter.newest())
    return {
        "limited": sum(window.limited for window in windows),
        "banned": sum(window.banned for window in windows),
        "violations": limiter.violations,
        "windows": [asdict(window) for window in windows],
    }


def milliseconds(time: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    return int((time - _EPOCH).total_seconds() * 1000)


def rules_from(text: str) -> FaultRule:
    """One fault rule, as JSON or as the bare name of a fault."""
    if text.lstrip().startswith("{"):
        return TypeAdapter(FaultRule).validate_json(text)
    return FaultRule(kind=text)


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"


def _json(content: dict[str, Any], status: int = 200) -> Answer:
    return Answer(orjson.dumps(content), status)
