"""The price path of a generated symbol: a random walk that can be entered anywhere.

A skeleton of one point every 2,048 minutes is made by midpoint displacement, each level's
displacement growing with the square root of its span up to about three months and not beyond, so
that prices stay within some octaves of where they began. Between two points of the skeleton the
path is a sum of random steps, tilted to arrive at the second point. Any minute is thus found from
one block of steps, and the path is continuous over all of history.

Only additions, multiplications, divisions and roundings of IEEE doubles are used, no library
functions such as `exp`, whose last digit differs between machines.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from candlelog_embedded.sandbox import noise

BLOCK_LEVEL: Final = 11
BLOCK: Final = 1 << BLOCK_LEVEL
TOP_LEVEL: Final = 23
MINUTES: Final = 1 << TOP_LEVEL
"""How many minutes the path spans, close to 16 years."""

_TALLEST_LEVEL: Final = 17
_SQUARINGS: Final = 6


class Walk:
    """The path of the logarithm of a price."""

    def __init__(self, symbol: str, volatility: float) -> None:
        self._seed = noise.key(symbol, "steps")
        self._volatility = volatility
        self._skeleton = self._displaced(symbol)

    def growth(self, start: int, end: int) -> NDArray[np.float64]:
        """The price relative to the symbol's base price at the minutes in `[start, end)`, counted
        from the beginning of the path: shape (end - start,), all positive.
        """
        return _exponential(self._logarithms(start, end))

    def _logarithms(self, start: int, end: int) -> NDArray[np.float64]:
        first, last = start // BLOCK, (end - 1) // BLOCK + 1
        places = np.arange(first * BLOCK, last * BLOCK, dtype=np.int64)
        steps = noise.bell(noise.bits(self._seed, places)).reshape(-1, BLOCK)
        sums = np.cumsum(steps, axis=1)
        path = np.zeros((last - first, BLOCK))
        path[:, 1:] = sums[:, :-1]
        path *= self._volatility / 37837.0
        points = self._skeleton[first : last + 1]
        missing = np.diff(points) - sums[:, -1] * (self._volatility / 37837.0)
        path += missing[:, np.newaxis] * (np.arange(BLOCK) / BLOCK)
        path += points[:-1, np.newaxis]
        return path.reshape(-1)[start - first * BLOCK : end - first * BLOCK]

    def _displaced(self, symbol: str) -> NDArray[np.float64]:
        """The skeleton: shape (MINUTES / BLOCK + 1,)."""
        points = noise.bell_unit(noise.bits(noise.key(symbol, "ends"), np.arange(2)))
        for level in range(TOP_LEVEL, BLOCK_LEVEL, -1):
            span = self._volatility * _root_of_power(min(level, _TALLEST_LEVEL))
            places = np.arange(len(points) - 1, dtype=np.int64)
            random = noise.bell_unit(noise.bits(noise.key(symbol, f"level {level}"), places))
            finer = np.empty(2 * len(points) - 1)
            finer[::2] = points
            finer[1::2] = (points[:-1] + points[1:]) * 0.5 + random * span
            points = finer
        return points


def _root_of_power(level: int) -> float:
    """The square root of 2**level, by halves and one constant."""
    return float(1 << (level // 2)) * (1.4142135623730951 if level % 2 else 1.0)


def _exponential(logarithms: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 + x/64)^64: positive, rising, close to the exponential, the same bits everywhere."""
    power = logarithms * 2.0**-_SQUARINGS + 1.0
    for _ in range(_SQUARINGS):
        power *= power
    return power
