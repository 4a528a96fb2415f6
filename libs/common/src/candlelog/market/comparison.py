"""What differs between two sets of candles: those that are live, and a shadow of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from candlelog.market.series import Series


@dataclass(frozen=True, slots=True)
class Difference:
    """A series that is not the same in both: slots that are equal, have other values, or are held
    by one alone; the first and the last that differ; and, relative to the larger value, the
    largest change of each column.
    """

    series: Series
    equal: int
    changed: int
    only_live: int
    only_shadow: int
    first: datetime
    last: datetime
    largest: Mapping[str, float]

    @property
    def slots(self) -> int:
        """How many slots differ."""
        return self.changed + self.only_live + self.only_shadow


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both hold alike, and each series that differs, that with most differences first."""

    series: int
    equal: int
    differences: Sequence[Difference]
