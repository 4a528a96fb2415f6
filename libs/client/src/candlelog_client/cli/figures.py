"""Numbers and times as people read them."""

from datetime import datetime


def count(value: float | None) -> str:
    """41760 → "41,760"; unknown → "–"."""
    return "–" if value is None else f"{value:,.0f}"


def speed(per_second: float | None) -> str:
    """Candles a second."""
    return "–" if per_second is None else f"{per_second:,.0f}/s"


def percent(value: float | None) -> str:
    """A share of 0–100 with one decimal, never rounded up to 100."""
    if value is None:
        return "–"
    shown = value if value >= 100 else min(value, 99.9)
    return f"{shown:.1f} %"


def duration(seconds: float | None) -> str:
    """3725 → "1h 02m"; short ones in seconds; unknown → "–"."""
    if seconds is None:
        return "–"
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 48 * 3600:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600:02d}h"


def minute(value: datetime | None) -> str:
    """A time in UTC to the minute."""
    return "–" if value is None else f"{value:%Y-%m-%d %H:%M}"


def recently(value: datetime | None) -> str:
    """A time of late, in UTC, without its year."""
    return "–" if value is None else f"{value:%m-%d %H:%M}"


def moment(value: datetime | None) -> str:
    """A time in UTC to the second."""
    return "–" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"
