"""Which set a table belongs to: the number in the name of the column that marks it."""

from collections.abc import Collection, Mapping
from typing import Final, Literal

MarkedTable = Literal["candles", "candle_revisions", "coverage"]
MARKED: Final[tuple[MarkedTable, ...]] = ("candles", "candle_revisions", "coverage")
"""The tables of a set, in the order in which they are made: with coverage the set is there."""

_PREFIX: Final = "set_"

Marks = Mapping[str, int]
"""The number of the set that each table of a place belongs to."""


def mark(number: int) -> str:
    """The name of the column."""
    return f"{_PREFIX}{number}"


def number_of(column: str) -> int | None:
    """The number in the name of a column, if it is a mark."""
    text = column.removeprefix(_PREFIX)
    return int(text) if text != column and text.isdigit() else None


def numbers(marks: Marks) -> Collection[int]:
    """The sets that the tables of a place belong to: one, but for a moment of an exchange."""
    return set(marks.values())
