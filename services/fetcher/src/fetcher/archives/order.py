"""Rows in order of time, though a line of their file stands in the wrong place."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from candlelog.market.candles import Mask

_LONG_AGO: Final = -(2**62)


class Order:
    """Keeps of the rows of a file those that come later than all kept before them.

    A row that does not is refused, or else the one kept just before it, where without that one it
    would be in order. So a line in the wrong place is refused alone, wherever it was moved to; the
    rows after one that came too soon are not.
    """

    def __init__(self) -> None:
        self._before_last = self._last = _LONG_AGO

    def keep(self, times: NDArray[np.int64]) -> tuple[Mask, bool]:
        """Which of the next rows are kept, and whether the last row kept of those before them is
        not kept after all.
        """
        if not len(times):
            return np.ones(0, dtype=bool), False
        if times[0] > self._last and np.all(times[1:] > times[:-1]):
            self._before_last = int(times[-2]) if len(times) > 1 else self._last
            self._last = int(times[-1])
            return np.ones(len(times), dtype=bool), False
        return self._one_by_one(times)

    def _one_by_one(self, times: NDArray[np.int64]) -> tuple[Mask, bool]:
        kept = np.zeros(len(times), dtype=bool)
        newest, taken_back = -1, False
        for place, time in enumerate(times.tolist()):
            if time > self._last:
                self._before_last = self._last
            elif self._before_last < time < self._last:
                if newest < 0:
                    taken_back = True
                else:
                    kept[newest] = False
            else:
                continue
            self._last, newest = time, place
            kept[place] = True
        return kept, taken_back
