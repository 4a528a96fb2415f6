"""Indicators that divide one average of movements by another: RSI and the directional ones.

While nothing moves both averages shrink alike, and TA-Lib's quotient stays what it was, for ever:
it would follow from moves of long ago. So, after as many rows without a movement as its W rows
leave over, the value here is what TA-Lib gives for rows that never moved, which is 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import talib
from numpy.typing import NDArray

from featurizer.domain.formulas import Floats, rows_since

Moved = Callable[..., NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Quotient:
    """A function of TA-Lib that is such a quotient."""

    function: Callable[..., Floats]
    moved: Moved
    """Whether anything moved from a row to the next: shape (rows - 1,), of the same columns."""
    averaged: bool = False
    """Whether the quotients are averaged once more, by Wilder's average over the same period."""

    def compute(self, *columns: Floats, timeperiod: int, still: int) -> Floats:
        """The values, given the columns it reads; 0 after more than `still` rows without a move."""
        quotient = self.function(*columns, timeperiod=timeperiod)
        unmoved = rows_since(self.moved(*columns), len(quotient))
        quotient = np.where(unmoved > still, 0.0, quotient)
        return talib.RMA(quotient, timeperiod=timeperiod) if self.averaged else quotient


def price_moved(close: Floats) -> NDArray[np.bool_]:
    """Whether the close differs from the one before."""
    return np.diff(close) != 0


def range_moved(high: Floats, low: Floats, close: Floats) -> NDArray[np.bool_]:
    """Whether the true range is more than nothing."""
    before = close[:-1]
    return np.maximum(high[1:], before) > np.minimum(low[1:], before)


def direction_moved(high: Floats, low: Floats, _: Floats) -> NDArray[np.bool_]:
    """Whether there is a directional movement: one end of the range reached out further."""
    up, down = np.diff(high), -np.diff(low)
    return (np.maximum(up, down) > 0) & (up != down)


QUOTIENTS: Final[Mapping[str, Quotient]] = {
    "RSI": Quotient(talib.RSI, price_moved),
    "CMO": Quotient(talib.CMO, price_moved),
    "PLUS_DI": Quotient(talib.PLUS_DI, range_moved),
    "MINUS_DI": Quotient(talib.MINUS_DI, range_moved),
    "DX": Quotient(talib.DX, direction_moved),
    "ADX": Quotient(talib.DX, direction_moved, averaged=True),
}
