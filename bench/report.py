"""What a measurement found, as a table and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

Figure = float | int | str


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of one measurement, each with its unit in its name."""

    title: str
    figures: Mapping[str, Figure]
    notes: tuple[str, ...] = field(default=())

    def show(self, console: Console) -> None:
        """Print as a table."""
        table = Table(title=self.title, title_justify="left", show_header=False)
        for name, value in self.figures.items():
            table.add_row(name, f"{value:,.3f}" if isinstance(value, float) else f"{value}")
        console.print(table)
        for note in self.notes:
            console.print(note)


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
