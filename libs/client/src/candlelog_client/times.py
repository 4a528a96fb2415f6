"""Times as the API wants them."""

from datetime import UTC, datetime


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
