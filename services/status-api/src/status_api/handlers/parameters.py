"""Query and path parameters that several routes share."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Path, Query, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPBearer

from candlelog.events.fields import EARLIEST, LATEST
from candlelog.market.profile import EXCHANGES, profile
from candlelog.market.series import Series
from candlelog.market.timeframe import from_milliseconds
from status_api.adapters.history import Wanted, Window
from status_api.domain.cursors import decode_numbers
from status_api.domain.moments import parse_time
from status_api.domain.problems import FieldError, Problem, invalid, invalid_fields
from status_api.domain.suggestions import unknown_names, unknown_timeframes
from status_api.domain.text import PRESENTABLE

_NAME_LENGTH: Final = 64


Exchange = Annotated[str, Query(max_length=_NAME_LENGTH, examples=["binance"]), PRESENTABLE]
Symbol = Annotated[str, Query(max_length=_NAME_LENGTH, examples=["BTC/USDT"]), PRESENTABLE]
TimeframeName = Annotated[str, Query(max_length=_NAME_LENGTH, examples=["1m"]), PRESENTABLE]
Moment = Annotated[
    str | None, Query(description="ISO 8601; without an offset UTC", examples=["2024-02-01"])
]
Cursor = Annotated[str | None, Query(description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000)]
BEARER: Final = Security(HTTPBearer(auto_error=False))
"""Tells the OpenAPI document; the gate does the work, for WebSockets too."""
JobId = Annotated[str, Path(description="id of a job")]
PREFIX: Final = "/api/v1"
TOKEN: Final = "token"  # noqa: S105 - the name of a parameter; the gate has read it


async def only_known(request: Request) -> None:
    """Refuse a query that says more than the operation takes: it would be answered wrongly."""
    route = request.scope["route"]
    known = _query_names(route.dependant)
    if route.path.endswith("/events"):
        known |= {TOKEN}
    refuse_unknown(request.query_params, known)
    _refuse_repeated(name for name, _ in request.query_params.multi_items())


def _query_names(dependant: Dependant) -> set[str]:
    """What an operation takes in its query, itself and by what it depends on."""
    own = {parameter.alias for parameter in dependant.query_params}
    return own.union(*map(_query_names, dependant.dependencies))


def _refuse_repeated(given: Iterable[str]) -> None:
    """Refuse names that are given more than once: all values but the last would be passed over."""
    errors = [
        FieldError(name, "invalid_value", f"{name} is given {times} times")
        for name, times in Counter(given).items()
        if times > 1
    ]
    if errors:
        raise invalid_fields(errors)


def refuse_unknown(given: Iterable[str], known: Collection[str]) -> None:
    """Refuse names of query parameters that are not among the known ones."""
    errors = [
        FieldError(name[:64], "unknown_field", f"unknown query parameter {name[:64]!r}")
        for name in dict.fromkeys(given)
        if name not in known
    ]
    if errors:
        raise invalid_fields(errors)


ONLY_KNOWN: Final = Depends(only_known)


def one_series(
    *,
    exchange: Exchange,
    symbol: Symbol,
    timeframe: TimeframeName,
    start: Moment = None,
    end: Moment = None,
) -> tuple[Series, Window]:
    """The series and the times of a query. Symbols are judged where nothing is stored: a venue may
    have dropped one whose candles are here.
    """
    errors = list(unknown_names("exchange", "unknown_exchange", [exchange], EXCHANGES))
    if not errors:
        valid = profile(exchange).timeframes
        errors += unknown_timeframes("timeframe", [timeframe], valid)
    if errors:
        raise invalid_fields(errors)
    return Series(exchange, symbol, timeframe), window(start, end)


OneSeries = Annotated[tuple[Series, Window], Depends(one_series)]


def check_names(
    exchange: str | None, timeframes: Collection[str], *, field: str = "timeframe"
) -> None:
    """Raise a 422 problem for an exchange or a timeframe, given as `field`, that does not exist."""
    valid = {name for each in EXCHANGES for name in profile(each).timeframes}
    errors = [
        *unknown_names("exchange", "unknown_exchange", [exchange] if exchange else [], EXCHANGES),
        *unknown_timeframes(field, timeframes, valid),
    ]
    if errors:
        raise invalid_fields(errors)


def any_series(
    exchange: Exchange | None = None,
    symbol: Symbol | None = None,
    timeframe: TimeframeName | None = None,
) -> Wanted:
    """A filter; an exchange or timeframe that does not exist is refused."""
    check_names(exchange, [timeframe] if timeframe else ())
    return Wanted(exchange, symbol, timeframe)


AnySeries = Annotated[Wanted, Depends(any_series)]


def window(start: Moment = None, end: Moment = None) -> Window:
    """The times of a query, without bounds where none are given."""
    first = EARLIEST if start is None else parse_time("start", start)
    last = LATEST if end is None else parse_time("end", end)
    if first >= last:
        if end is None:
            raise invalid("start", "invalid_range", "start is too late")
        if start is None:
            raise invalid("end", "invalid_range", "end is too early")
        raise invalid("start", "invalid_range", "start must be before end")
    return Window(first, last)


Times = Annotated[Window, Depends(window)]


def resumed(wanted: Window, cursor: str | None) -> Window:
    """What of the window is left behind a cursor that holds a time in milliseconds."""
    if cursor is None:
        return wanted
    (next_time,) = decode_numbers(cursor, 1)
    start, end = wanted.bounds
    return Window(from_milliseconds(min(max(next_time, start), end)), wanted.end)


def job_id_of(text: str) -> UUID:
    """The id in a path; what is no id names no job."""
    try:
        return UUID(text)
    except ValueError:
        raise unknown_job(text) from None


def unknown_job(job_id: object) -> Problem:
    """404."""
    return Problem(404, "unknown_job", f"there is no job {str(job_id)[:64]!r}")
