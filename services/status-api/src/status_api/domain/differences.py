"""How many rows of two builds of features differ, and in what."""

from dataclasses import dataclass
from itertools import zip_longest
from typing import Final


@dataclass(frozen=True, slots=True)
class RowDifference:
    """Rows that are in both builds, how many of them are equal in every column, and rows of one
    alone; for each column how many rows differ in it, and the largest relative difference of
    these: the distance of the two numbers over the larger one, 0 to 2, and 0 beside a null.
    """

    compared: int
    equal: int
    only_old: int
    only_new: int
    changed: tuple[int, ...]
    largest: tuple[float, ...]

    def __add__(self, other: "RowDifference") -> "RowDifference":
        pairs = zip_longest(self.changed, other.changed, fillvalue=0)
        sizes = zip_longest(self.largest, other.largest, fillvalue=0.0)
        return RowDifference(
            self.compared + other.compared,
            self.equal + other.equal,
            self.only_old + other.only_old,
            self.only_new + other.only_new,
            tuple(one + another for one, another in pairs),
            tuple(max(pair) for pair in sizes),
        )


NOTHING: Final = RowDifference(0, 0, 0, 0, (), ())
