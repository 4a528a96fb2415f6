"""Minutes that the venue has corrected since it first told them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from candlelog_embedded.sandbox.columns import VOLUME, Columns
from candlelog_embedded.sandbox.noise import bits, key, lane
from candlelog_embedded.sandbox.sources import Source

_LANE: Final = 2**16


@dataclass(frozen=True, slots=True)
class Corrections:
    """A `share` of all minutes is corrected, by one or two of the smallest steps of the volume.

    Round 0 is before any of it. In round 1 all of these have their first correction; in round 2
    half of them have a second one, and the others are back at what they were.
    """

    share: float = 0.0
    round: int = 0

    def of(self, source: Source, symbol: str) -> Source:
        """The minutes of a symbol as they are now."""
        return _Corrected(source, key("corrections", symbol), self) if self.round else source

    def steps(self, seed: np.uint64, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """By how many steps the volume of each minute is more than it was at first."""
        random = bits(seed, times)
        corrected = lane(random, 0) < self.share * _LANE
        again = lane(random, 1) < _LANE // 2
        return (corrected & (again | (self.round == 1))).astype(np.int64) * self.round


class _Corrected:
    """A source with its corrections; which minutes there are stays as it is."""

    def __init__(self, source: Source, seed: np.uint64, corrections: Corrections) -> None:
        self._source = source
        self._seed = seed
        self._corrections = corrections
        self.following = source.following
        self.preceding = source.preceding

    def minutes(self, start: int, end: int) -> Columns:
        """The minutes that open in `[start, end)`."""
        minutes = self._source.minutes(start, end)
        values = minutes.values.copy()
        values[VOLUME] += self._corrections.steps(self._seed, minutes.open_time)
        return Columns(minutes.open_time, values, minutes.decimals)
