"""Coverage drawn with characters: a month a row, a day a column."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from candlelog_client.cli.figures import count, percent

if TYPE_CHECKING:
    from candlelog_client.stored import CoverageRun

_DAY: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)
_DAYS: Final = 31
_MARGIN: Final = 9


class _Look(NamedTuple):
    character: str
    style: str
    words: str


_LOOKS: Final = {
    "present": _Look("█", "green", "a candle is stored"),
    "no_trade": _Look("▓", "cyan", "the venue answered: nothing was traded"),
    "outage": _Look("▒", "blue", "the venue answered: it has no candle"),
    "unlisted": _Look("·", "dim", "the venue had no market yet, or none any more"),
    "provisional": _Look("░", "yellow", "a candle is stored that may still change"),
    "unfetchable": _Look("○", "red", "nothing explains it, and only a file can"),
    "unknown": _Look("×", "bold red", "nothing explains it"),
}
"""From the best state to the worst: a day looks as its worst slot."""
_RANK: Final = {state: rank for rank, state in enumerate(_LOOKS)}


def draw(runs: "Sequence[CoverageRun]") -> RenderableType:
    """A picture of the runs of one series, with a legend that counts the slots of each state."""
    if not runs:
        return "Nothing was asked for, or nothing of that range has closed yet."
    days = worst_of_days(runs)
    return Group(
        _ruler(),
        *(_row(month, days) for month in _months(min(days), max(days))),
        "",
        *_legend(runs),
    )


def worst_of_days(runs: "Sequence[CoverageRun]") -> dict[date, str]:
    """The worst state of each day (UTC) that a run reaches into."""
    days: dict[date, str] = {}
    for run in runs:
        day, last = run.start.date(), (run.end - _INSTANT).date()
        while day <= last:
            known = days.get(day)
            if known is None or _rank(run.state) > _rank(known):
                days[day] = run.state
            day += _DAY
    return days


def _rank(state: str) -> int:
    return _RANK.get(state, len(_RANK))


def _months(first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + _DAYS * _DAY).replace(day=1)


def _row(month: date, days: Mapping[date, str]) -> Text:
    row = Text(f"{month:%Y-%m}".ljust(_MARGIN))
    for number in range(_DAYS):
        day = month + number * _DAY
        look = _LOOKS.get(days.get(day, "")) if day.month == month.month else None
        row.append(" " if look is None else look.character, "" if look is None else look.style)
    return row


def _ruler() -> Text:
    marks = {1: "1", 10: "10", 20: "20", 30: "30"}
    line = [" "] * (_DAYS + 1)
    for day, mark in marks.items():
        line[day - 1 : day - 1 + len(mark)] = mark
    return Text(" " * _MARGIN + "".join(line).rstrip(), "dim")


def _legend(runs: "Sequence[CoverageRun]") -> Iterator[Text]:
    slots = Counter[str]()
    for run in runs:
        slots[run.state] += run.slots
    for state, look in _LOOKS.items():
        if slots[state]:
            share = percent(100 * slots[state] / slots.total())
            line = Text(f"{look.character} ", look.style)
            line.append(f"{state:<12}{count(slots[state]):>12} {share:>8}  ", "")
            yield line.append(look.words, "dim")
