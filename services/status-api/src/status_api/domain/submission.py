"""The body of `POST /jobs`: its shape, its rules, and the command it becomes."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from pydantic import BaseModel, ConfigDict, Field

from candlelog.events.feature_sets import DEFAULT, FeatureSetRef
from candlelog.events.jobs import SubmitJobV1
from candlelog.market.profile import EXCHANGES, profile
from status_api.domain.moments import EARLIEST, parse_span, parse_time
from status_api.domain.problems import FieldError, Problem, invalid_fields
from status_api.domain.suggestions import unknown_names, unknown_timeframes
from status_api.domain.text import PRESENTABLE

_AHEAD: Final = timedelta(seconds=5)
"""How far a client's clock may be ahead of ours when it means "now"."""


Name = Annotated[str, Field(min_length=1, max_length=64), PRESENTABLE]


class JobRequest(BaseModel):
    """Symbols × timeframes over `[start, end)`, to be fetched and stored."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "exchange": "binance",
                    "symbols": ["BTC/USDT"],
                    "timeframes": ["1m", "1h"],
                    "start": "2024-02-01T00:00:00Z",
                    "end": "2024-03-01T00:00:00Z",
                },
                {
                    "exchange": "binance",
                    "symbols": ["BTC/USDT", "ETH/USDT"],
                    "timeframes": ["1d"],
                    "lookback": "30d",
                    "label": "last month",
                },
            ]
        },
    )

    exchange: Name = Field(
        description="`binance` is Binance spot, `binanceusdm` its USD-M futures, `kraken` spot too"
    )
    symbols: Annotated[list[Name], Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="in ccxt's names, such as BTC/USDT; required"
    )
    tier: Name | None = Field(default=None, description="not available yet")
    timeframes: Annotated[list[Name], Field(min_length=1, max_length=20)] = Field(
        description="such as 1m, 1h, 1d"
    )
    start: str | None = Field(
        default=None, description="ISO 8601, not before 2009; this or `lookback` is required"
    )
    lookback: str | None = Field(
        default=None, description="instead of `start`: that long before `end`, such as 30d"
    )
    end: str | None = Field(default=None, description="ISO 8601, not after now; default now")
    source: Literal["auto", "rest", "archive"] = Field(
        default="auto",
        description="auto: files of the archive where they serve better, the venue for the rest; "
        "rest: the venue alone; archive: files alone",
    )
    features: bool = Field(
        default=True, description="compute features too, also of what is stored already"
    )
    feature_sets: Annotated[list[Name], Field(min_length=1, max_length=20)] | None = Field(
        default=None, description="which; left out: `default`"
    )
    incremental: bool = Field(
        default=True, description="false asks again for slots that are covered already"
    )
    priority: int = Field(default=5, ge=0, le=9, description="9 is the most urgent")
    max_attempts: int = Field(default=3, ge=1, le=10, description="answers asked for per chunk")
    label: Annotated[str, Field(max_length=200), PRESENTABLE] | None = None

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the feature sets that are asked for."""
        return once(self.feature_sets or (DEFAULT.name,)) if self.features else ()

    def digest(self) -> str:
        """The same for requests that say the same: SHA-256 over the canonical body."""
        body = self.model_dump(mode="json")
        for field in ("start", "end"):
            if body[field] is not None:
                body[field] = parse_time(field, body[field]).isoformat()
        if self.lookback is not None:
            parse_span("lookback", self.lookback)  # first: it may be no text that can be written
        body["symbols"] = once(body["symbols"] or ())
        body["timeframes"] = once(body["timeframes"])
        if self.features:
            body["feature_sets"] = self.sets
        elif self.feature_sets is None:  # so it was before there were any: keys keep their jobs
            del body["feature_sets"]
        return digest_of(body)


@dataclass(frozen=True, slots=True)
class Author:
    """Whose request it is: the token's name, and the job id it gets."""

    name: str
    job_id: UUID


def idempotent_job_id(token_name: str, key: str) -> UUID:
    """The one job id of this key of this token."""
    return uuid5(uuid5(NAMESPACE_URL, f"candlelog:token:{token_name}"), key)


def check(
    request: JobRequest, now: datetime, feature_sets: Collection[str]
) -> tuple[datetime, datetime]:
    """The range the request means; raises a 422 problem that lists every rule it breaks.

    Symbols are checked apart (`check_symbols`), once the exchange's markets are known.
    """
    errors = [*_unavailable(request), *_unknown(request), *_wrong_sets(request, feature_sets)]
    try:
        start, end = _range(request, now)
    except Problem as problem:
        raise invalid_fields([*errors, *problem.errors]) from problem
    if errors:
        raise invalid_fields(errors)
    return start, end


def check_symbols(request: JobRequest, listed: Collection[str]) -> None:
    """Raise a 422 problem unless the exchange lists every symbol."""
    errors = unknown_names("symbols", "unknown_symbol", once(request.symbols or ()), listed)
    if errors:
        raise invalid_fields(errors)


def command(
    request: JobRequest,
    author: Author,
    period: tuple[datetime, datetime],
    feature_sets: tuple[FeatureSetRef, ...],
    *,
    now: datetime,
) -> SubmitJobV1:
    """The command to publish for a request that passed its checks."""
    return SubmitJobV1(
        job_id=author.job_id,
        exchange=request.exchange,
        symbols=once(request.symbols or ()),
        timeframes=once(request.timeframes),
        start=period[0],
        end=period[1],
        source=request.source,
        features=request.features,
        feature_sets=feature_sets,
        incremental=request.incremental,
        priority=request.priority,
        max_attempts=request.max_attempts,
        label=request.label,
        submitted_by=author.name,
        submitted_at=now,
        request_digest=request.digest(),
    )


def _unavailable(request: JobRequest) -> Sequence[FieldError]:
    found = {
        "tier": (request.tier is not None, "tiers are not available yet; name the symbols"),
    }
    errors = [
        FieldError(field, "not_available", why) for field, (asked, why) in found.items() if asked
    ]
    if request.symbols is None and request.tier is None:
        errors.append(FieldError("symbols", "missing_field", "symbols is required"))
    return errors


def _unknown(request: JobRequest) -> Sequence[FieldError]:
    exchange = unknown_names("exchange", "unknown_exchange", [request.exchange], EXCHANGES)
    if exchange:
        return exchange
    valid = profile(request.exchange).timeframes
    return unknown_timeframes("timeframes", once(request.timeframes), valid)


def _wrong_sets(request: JobRequest, known: Collection[str]) -> Sequence[FieldError]:
    if request.feature_sets is not None and not request.features:
        why = "feature_sets may not be named where features is false"
        return [FieldError("feature_sets", "invalid_value", why)]
    return unknown_names("feature_sets", "unknown_feature_set", request.sets, known)


def _range(request: JobRequest, now: datetime) -> tuple[datetime, datetime]:
    end = now if request.end is None else parse_time("end", request.end)
    if end > now + _AHEAD:
        raise _refused("end", "end_in_future", "end must not be after now")
    end = min(end, now)
    start = _start(request, end)
    if start < EARLIEST:
        raise _refused("start", "too_early", "start must not be before 2009-01-01")
    if start >= end:
        raise _refused("start", "invalid_range", "start must be before end")
    return start, end


def _start(request: JobRequest, end: datetime) -> datetime:
    if (request.start is None) == (request.lookback is None):
        code = "missing_field" if request.start is None else "invalid_value"
        raise _refused("start", code, "give one of start and lookback")
    if request.start is not None:
        return parse_time("start", request.start)
    try:
        return end - parse_span("lookback", request.lookback or "")
    except OverflowError:
        raise _refused("lookback", "too_early", "lookback must not reach before 2009") from None


def _refused(field: str, code: str, detail: str) -> Problem:
    return invalid_fields([FieldError(field, code, detail)])


def digest_of(body: object) -> str:
    """SHA-256 over a body in JSON, whatever the order of its fields."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def once(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repetition, in their order."""
    return tuple(dict.fromkeys(names))
