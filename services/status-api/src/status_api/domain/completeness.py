"""The lines of a report of completeness, and what is rolled up in one."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

from candlelog.market.series import Series
from candlelog.market.slots import UNEXPLAINED, Counted, SlotState, States
from candlelog.market.timeframe import Timeframe

Freshness = Literal["fresh", "aging", "stale"]

_FRESH: Final = 2 * 3600
_AGING: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class AskedSeries:
    """A series that was asked for: from when on at the earliest, and when it was read last."""

    series: Series
    first: datetime
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """The slots of some series in `[start, end)` by state. What differs among them is None, and so
    are `due` and `read_at` of a day: when the oldest candle that lacks at the end had closed, and
    when the series was read last that was read longest ago.
    """

    exchange: str | None
    symbol: str | None
    timeframe: str | None
    day: date | None
    series: int
    start: datetime
    end: datetime
    states: States
    due: datetime | None
    read_at: datetime | None

    @property
    def slots(self) -> int:
        """All of them."""
        return sum(self.states.values())

    @property
    def completeness(self) -> float:
        """The part of the slots that something explains, 0 to 1."""
        missing = sum(self.states.get(state, 0) for state in UNEXPLAINED)
        return round(1 - missing / self.slots, 6)


def freshness(overdue: float) -> Freshness:
    """By how many seconds the next candle has been missing."""
    return "fresh" if overdue < _FRESH else "aging" if overdue < _AGING else "stale"


def series_line(asked: AskedSeries, counted: Counted) -> Line:
    """One series. The first candle that is unknown from there on closes a slot after it opens."""
    series = asked.series
    frame = Timeframe.parse(series.timeframe)
    return Line(
        exchange=series.exchange,
        symbol=series.symbol,
        timeframe=series.timeframe,
        day=None,
        series=1,
        start=counted.start,
        end=counted.end,
        states=counted.states,
        due=frame.advance(counted.known_until or counted.start, 1),
        read_at=asked.read_at,
    )


def day_lines(counted: Iterable[Mapping[date, States]]) -> list[Line]:
    """A line for each day that any of them holds."""
    days: dict[date, Counter[SlotState]] = defaultdict(Counter)
    for each in counted:
        for day, states in each.items():
            days[day].update(states)
    return [
        Line(
            exchange=None,
            symbol=None,
            timeframe=None,
            day=day,
            series=0,
            start=datetime.combine(day, time(), UTC),
            end=datetime.combine(day + timedelta(days=1), time(), UTC),
            states=states,
            due=None,
            read_at=None,
        )
        for day, states in sorted(days.items())
    ]


def rolled_up(lines: Sequence[Line], key: Callable[[Line], object]) -> list[Line]:
    """Lines of series, one for those of each key, in the order of their first ones."""
    groups: dict[object, list[Line]] = defaultdict(list)
    for line in lines:
        groups[key(line)].append(line)
    return [_sum(group) for group in groups.values()]


def _sum(lines: Sequence[Line]) -> Line:
    states = Counter[SlotState]()
    for line in lines:
        states.update(line.states)
    return replace(
        lines[0],
        exchange=_same(line.exchange for line in lines),
        symbol=_same(line.symbol for line in lines),
        timeframe=_same(line.timeframe for line in lines),
        series=len(lines),
        start=min(line.start for line in lines),
        end=max(line.end for line in lines),
        states=states,
        due=min((line.due for line in lines if line.due is not None), default=None),
        read_at=min((line.read_at for line in lines if line.read_at is not None), default=None),
    )


def _same(names: Iterable[str | None]) -> str | None:
    found = set(names)
    return found.pop() if len(found) == 1 else None
