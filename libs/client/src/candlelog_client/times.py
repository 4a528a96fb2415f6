"""Times as the API wants them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_SPAN: Final = re.compile(r"([1-9][0-9]{0,6})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def as_text(value: datetime | str | None) -> str | None:
    """A time in ISO 8601 with its offset; without one it is taken as UTC.

    A text that is no time is passed on as it is: the server says what is wrong with it.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return str(value)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def since(text: str, now: datetime) -> datetime | str:
    """The time that lies a span before now, written as `lookback` is, such as "30d"; a text that
    is no such span comes back as it is.
    """
    span = _SPAN.fullmatch(text)
    try:
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else text
    except OverflowError:
        return text
