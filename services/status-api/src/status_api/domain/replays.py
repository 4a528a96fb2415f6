"""The body of `POST /replays`: its shape, its rules, and the command it becomes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from candlelog.events.feature_sets import DEFAULT, FeatureSetRef
from candlelog.events.jobs import ReplayCandlesV1, ReplayFeaturesV1
from candlelog.market.feature_sets import FeatureSets
from candlelog.market.profile import EXCHANGES, profile
from candlelog.market.series import Series
from status_api.domain.moments import parse_time
from status_api.domain.problems import FieldError, Problem, invalid_fields
from status_api.domain.submission import Author, Name, digest_of, once
from status_api.domain.suggestions import unknown_names, unknown_timeframes
from status_api.domain.text import PRESENTABLE

_EXPLAINED: Final = 20
"""Series that are refused by name; a request may hold thousands."""

Period = tuple[datetime | None, datetime | None]
"""Open times `[start, end)`; None where there is no bound."""


class FeatureReplay(BaseModel):
    """A feature set of symbols × timeframes, computed anew beside what is served."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "kind": "features",
                    "exchange": "binance",
                    "symbols": ["BTC/USDT"],
                    "timeframes": ["1h"],
                    "feature_set": "mine/2",
                }
            ]
        },
    )

    kind: Literal["features"]
    exchange: Name
    symbols: Annotated[list[Name], Field(min_length=1, max_length=1000)]
    timeframes: Annotated[list[Name], Field(min_length=1, max_length=20)]
    feature_set: Name = Field(
        default=DEFAULT.name, description="`mine/2`; without a version the newest there is"
    )
    start: str | None = Field(
        default=None, description="ISO 8601; left out: from the first candle on"
    )
    end: str | None = Field(default=None, description="ISO 8601; left out: without an end")
    priority: int = Field(default=5, ge=0, le=9, description="9 is the most urgent")
    label: Annotated[str, Field(max_length=200), PRESENTABLE] | None = None

    @property
    def series(self) -> tuple[Series, ...]:
        """Every series that is asked for, each once, symbols outermost."""
        return tuple(
            Series(self.exchange, symbol, timeframe)
            for symbol in once(self.symbols)
            for timeframe in once(self.timeframes)
        )

    def digest(self) -> str:
        """The same for requests that say the same: SHA-256 over the canonical body."""
        body = self.model_dump(mode="json")
        for field in ("start", "end"):
            if body[field] is not None:
                body[field] = parse_time(field, body[field]).isoformat()
        body["symbols"], body["timeframes"] = once(self.symbols), once(self.timeframes)
        return digest_of(body)


class CandleReplay(BaseModel):
    """All candles, built anew from the topic in a shadow of what is served."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"kind": "candles"}]},
    )

    kind: Literal["candles"]
    label: Annotated[str, Field(max_length=200), PRESENTABLE] | None = None

    def digest(self) -> str:
        """The same for requests that say the same: SHA-256 over the canonical body."""
        return digest_of(self.model_dump(mode="json"))

    def command(self, author: Author, now: datetime) -> ReplayCandlesV1:
        """The command to publish."""
        return ReplayCandlesV1(
            job_id=author.job_id,
            label=self.label,
            submitted_by=author.name,
            submitted_at=now,
            request_digest=self.digest(),
        )


def check_replay(request: FeatureReplay, feature_sets: FeatureSets) -> Period:
    """The range the request means; raises a 422 problem that lists every rule it breaks.

    Whether there are candles is checked apart (`refuse_empty`).
    """
    errors = [
        *_unknown(request),
        *unknown_names("feature_set", "unknown_feature_set", [request.feature_set], feature_sets),
    ]
    try:
        period = _period(request)
    except Problem as problem:
        raise invalid_fields([*errors, *problem.errors]) from problem
    if errors:
        raise invalid_fields(errors)
    return period


def refuse_empty(
    request: FeatureReplay,
    listed: Collection[str] | None,
    *,
    candles: Mapping[Series, int],
    served: Collection[Series],
) -> None:
    """Raise a 422 problem unless each series has candles in the range, and features of the set.

    `candles` are those in the range, `served` the series with features; `listed` are the symbols
    of the exchange, where they are known.
    """
    empty = [series for series in request.series if not candles.get(series)]
    errors = list(_unlisted(empty, listed)) or [
        FieldError("symbols", "no_candles", f"{series.text} has no candles in this range")
        for series in empty
    ]
    name = request.feature_set.partition("/")[0]
    errors += [
        FieldError(
            "symbols",
            "no_features",
            f"{series.text} has no features of {name!r}; ask for them with a job first",
        )
        for series in request.series
        if candles.get(series) and series not in served
    ]
    if errors:
        raise invalid_fields(errors[:_EXPLAINED])


def replay_command(
    request: FeatureReplay,
    author: Author,
    period: Period,
    feature_set: FeatureSetRef,
    *,
    now: datetime,
) -> ReplayFeaturesV1:
    """The command to publish for a request that passed its checks."""
    return ReplayFeaturesV1(
        job_id=author.job_id,
        exchange=request.exchange,
        symbols=once(request.symbols),
        timeframes=once(request.timeframes),
        feature_set=feature_set,
        start=period[0],
        end=period[1],
        priority=request.priority,
        label=request.label,
        submitted_by=author.name,
        submitted_at=now,
        request_digest=request.digest(),
    )


def _unknown(request: FeatureReplay) -> Sequence[FieldError]:
    exchange = unknown_names("exchange", "unknown_exchange", [request.exchange], EXCHANGES)
    if exchange:
        return exchange
    valid = profile(request.exchange).timeframes
    return unknown_timeframes("timeframes", once(request.timeframes), valid)


def _unlisted(empty: Iterable[Series], listed: Collection[str] | None) -> Sequence[FieldError]:
    symbols = dict.fromkeys(series.symbol for series in empty)
    return [] if listed is None else unknown_names("symbols", "unknown_symbol", symbols, listed)


def _period(request: FeatureReplay) -> Period:
    start = None if request.start is None else parse_time("start", request.start)
    end = None if request.end is None else parse_time("end", request.end)
    if start is not None and end is not None and start >= end:
        raise invalid_fields([FieldError("start", "invalid_range", "start must be before end")])
    return start, end
