"""What a measurement found, and whether it is what it was to be."""

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Held:
    """A figure with bounds, to which it is held: outside of them the measurement has failed."""

    value: float
    at_least: float = -math.inf
    at_most: float = math.inf

    @property
    def holds(self) -> bool:
        """Whether it is within its bounds; what is no number is not."""
        return self.at_least <= self.value <= self.at_most

    @property
    def bounds(self) -> str:
        """Its bounds in words."""
        if self.at_least == self.at_most:
            return f"exactly {self.at_least:,}"
        words = (("at least", self.at_least), ("at most", self.at_most))
        return ", ".join(f"{word} {bound:,}" for word, bound in words if math.isfinite(bound))


Figure = float | int | str | Held


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of one measurement, each with its unit in its name."""

    title: str
    figures: Mapping[str, Figure]
    notes: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """Whether every figure is within its bounds."""
        return all(each.holds for each in self.figures.values() if isinstance(each, Held))

    def show(self, console: Console) -> None:
        """Print as a table."""
        held = any(isinstance(figure, Held) for figure in self.figures.values())
        table = Table("", "", title=self.title, title_justify="left", show_header=held)
        if held:
            table.add_column("against")
        for name, figure in self.figures.items():
            table.add_row(name, *_cells(figure))
        console.print(table)
        for note in self.notes:
            console.print(note)


def _cells(figure: Figure) -> tuple[str, ...]:
    """The figure, and its bounds where it has some."""
    if isinstance(figure, Held):
        return *_cells(figure.value), figure.bounds if figure.holds else f"{figure.bounds}: MISSED"
    return (f"{figure:,.3f}" if isinstance(figure, float) else f"{figure}",)


def conclude(reports: Iterable[Report]) -> None:
    """End the process, with 1 where a figure is outside its bounds: all of them were shown."""
    sys.exit(0 if all(report.holds for report in reports) else 1)


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
