"""Times and spans as users write them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from status_api.domain.problems import Problem, invalid

EARLIEST: Final = datetime(2009, 1, 1, tzinfo=UTC)
"""Nothing was traded before."""

_SPAN: Final = re.compile(r"([1-9][0-9]{0,6})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST: Final = 40


def parse_time(field: str, text: str) -> datetime:
    """ISO 8601 as aware UTC; a date alone, or a time without an offset, is UTC.

    Raises a `malformed_time` problem.
    """
    try:
        if len(text) > _LONGEST:
            raise ValueError("too long")
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _malformed(field, "a time in ISO 8601, such as 2024-02-01T00:00:00Z") from error


def parse_span(field: str, text: str) -> timedelta:
    """A number and `m`, `h`, `d` or `w`, such as "30d". Raises a `malformed_time` problem."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise _malformed(field, "a number and m, h, d or w, such as 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _malformed(field: str, wanted: str) -> Problem:
    return invalid(field, "malformed_time", f"{field} must be {wanted}")
