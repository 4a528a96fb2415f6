"""How long a recursive indicator takes to forget where its pass began.

TA-Lib's recursive averages begin with a mean over the first rows of a pass and then give the newest
row a fixed share: `average += share * (value - average)`. So of two passes that began at different
rows the averages differ, n rows after the later one began, by `(1 - share) ** n` times what they
differed by there. An average of an average also inherits the differences of the stage before, a
share of them n times: together at most `(1 - share) ** n * (1 + n * share) ** (stages - 1)`.

How much that is beside the value of now depends on how large what is averaged was then:

- Prices: the averages are taken to have differed by no more than the price of now.
- Movements, where they are divided by one another, and volumes: they may have been a million
  times what they are now (`ACTIVITY`).
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from featurizer.domain.windows import W

Parameters = Mapping[str, int | float]
OfParameters = Callable[[Parameters], float]

TOLERANCE: Final = 1e-9
ACTIVITY: Final = 1e6

_VANISHED: Final = 1e-250
"""Averages smaller than this are soon too small for float64, and so is what their quotient says."""


def span(*names: str) -> OfParameters:
    """Share of an exponential average over that many rows, the smallest one: `2 / (rows + 1)`."""
    return lambda parameters: min(2 / (parameters[name] + 1) for name in names)


def wilder(name: str) -> OfParameters:
    """Share of Wilder's average over that many rows: `1 / rows`."""
    return lambda parameters: 1 / parameters[name]


def _once(_: Parameters) -> float:
    return 1.0


@dataclass(frozen=True, slots=True)
class Recursion:
    """What a recursive indicator does with its past."""

    share: OfParameters
    """Of the newest row in the average; the smallest one, where there are several averages."""
    stages: int = 1
    """How many averages are taken of one another."""
    weight: OfParameters = _once
    """By how much a difference of the averages counts in the value."""
    of_volume: bool = False
    """Whether it may read volume, which may be nothing for a while."""

    def settling(self, parameters: Parameters, scale: float) -> int:
        """Rows after which two passes agree within `TOLERANCE`; W + 1 where W are too few.

        `scale`: how many times larger what is averaged may have been.
        """
        share, weight = self.share(parameters), self.weight(parameters) * scale
        return _rows_while(lambda rows: weight * _left(share, rows, self.stages) > TOLERANCE)

    def vanishing(self, parameters: Parameters) -> int:
        """Rows of nothing that a quotient of averages outlives in float64; at most W + 1."""
        share = self.share(parameters)
        return _rows_while(lambda rows: _left(share, rows, 1) > _VANISHED)


def _left(share: float, rows: int, stages: int) -> float:
    return (1 - share) ** rows * (1 + rows * share) ** (stages - 1)


def _rows_while(too_much: Callable[[int], bool]) -> int:
    """What is left rises at first at most, and falls from then on."""
    return bisect_left(range(W + 1), True, key=lambda rows: not too_much(rows))


RECURSIONS: Final[Mapping[str, Recursion]] = {
    "EMA": Recursion(span("timeperiod"), of_volume=True),
    "RMA": Recursion(wilder("timeperiod"), of_volume=True),
    "DEMA": Recursion(span("timeperiod"), stages=2, weight=lambda _: 3),
    "TEMA": Recursion(span("timeperiod"), stages=3, weight=lambda _: 7),
    "T3": Recursion(span("timeperiod"), stages=6, weight=lambda p: (1 + 2 * p["vfactor"]) ** 3),
    "TRIX": Recursion(span("timeperiod"), stages=3, weight=lambda _: 2),
    "APO": Recursion(span("fastperiod", "slowperiod"), weight=lambda _: 2),
    "PPO": Recursion(span("fastperiod", "slowperiod"), weight=lambda _: 2),
    "MACD": Recursion(
        span("fastperiod", "slowperiod", "signalperiod"), stages=2, weight=lambda _: 4
    ),
    "ATR": Recursion(wilder("timeperiod")),
    "NATR": Recursion(wilder("timeperiod")),
    "PLUS_DM": Recursion(wilder("timeperiod"), weight=lambda p: p["timeperiod"]),
    "MINUS_DM": Recursion(wilder("timeperiod"), weight=lambda p: p["timeperiod"]),
    "RSI": Recursion(wilder("timeperiod")),
    "CMO": Recursion(wilder("timeperiod")),
    "PLUS_DI": Recursion(wilder("timeperiod")),
    "MINUS_DI": Recursion(wilder("timeperiod")),
    "DX": Recursion(wilder("timeperiod")),
    "ADX": Recursion(wilder("timeperiod"), stages=2),
}
"""TA-Lib's recursive functions whose past is understood."""
