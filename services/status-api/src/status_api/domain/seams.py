"""Seams: slots that were read from a file and asked of the venue, and where the two differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe


class Prices(NamedTuple):
    """What was told of a slot; prices in quote currency, the volume in base currency."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class Difference(NamedTuple):
    """What a file holds of a slot, and what the venue told last."""

    open_time: datetime
    archive: Prices
    venue: Prices


@dataclass(frozen=True, slots=True)
class Seam:
    """Slots `[start, end)` that were read both ways, and those of them that differ."""

    series: Series
    start: datetime
    end: datetime
    slots: int
    differing: Sequence[Difference]


def seams(
    series: Series, ranges: Sequence[TimeRange], differing: Sequence[Difference]
) -> Iterator[Seam]:
    """A seam for each range that holds a slot."""
    frame = Timeframe.parse(series.timeframe)
    for each in ranges:
        slots = frame.count(each.start, each.end)
        if slots:
            found = [one for one in differing if each.start <= one.open_time < each.end]
            yield Seam(series, each.start, each.end, slots, found)
