"""Candles as columns of exact decimals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

OPEN: Final = 0
HIGH: Final = 1
LOW: Final = 2
CLOSE: Final = 3
VOLUME: Final = 4
QUOTE_VOLUME: Final = 5
TRADES: Final = 6
TAKER_VOLUME: Final = 7
TAKER_QUOTE_VOLUME: Final = 8
FIELDS: Final = 9

Index = slice | NDArray[np.bool_] | NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Columns:
    """Candles in rising order of time; a value is `units / 10**decimals`, nothing is rounded.

    `open_time`: (n,), milliseconds since the epoch. `values`: (9, n) int64 units, one row a field
    in the order of the constants above. `decimals`: one figure a field.
    """

    open_time: NDArray[np.int64]
    values: NDArray[np.int64]
    decimals: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.open_time)

    def pick(self, index: Index) -> "Columns":
        """The candles at `index`, a slice, a mask or positions."""
        return Columns(self.open_time[index], self.values[:, index], self.decimals)


def nothing() -> Columns:
    """No candles."""
    return Columns(np.empty(0, np.int64), np.empty((FIELDS, 0), np.int64), (0,) * FIELDS)


def joined(parts: Sequence[Columns]) -> Columns:
    """The parts one after another, in the finest decimals any of them has."""
    filled = [part for part in parts if len(part)]
    if len(filled) < 2:
        return filled[0] if filled else nothing()
    finest = tuple(max(each) for each in zip(*(part.decimals for part in filled), strict=True))
    return Columns(
        np.concatenate([part.open_time for part in filled]),
        np.concatenate([_scaled(part, finest) for part in filled], axis=1),
        finest,
    )


def _scaled(part: Columns, decimals: tuple[int, ...]) -> NDArray[np.int64]:
    if part.decimals == decimals:
        return part.values
    factors = [10 ** (to - have) for to, have in zip(decimals, part.decimals, strict=True)]
    return part.values * np.array(factors, np.int64)[:, np.newaxis]
