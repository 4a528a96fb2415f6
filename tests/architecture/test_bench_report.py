"""A measurement that misses a bound says so, and fails."""

import io
import math

import pytest
from bench.report import Held, Report, conclude
from rich.console import Console


def shown(report: Report) -> str:
    console = Console(file=io.StringIO(), width=100)
    report.show(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(name: str, report: Report) -> list[str]:
    [line] = [line for line in shown(report).splitlines() if name in line]
    return [cell.strip() for cell in line.strip("│").split("│")]


@pytest.mark.parametrize(
    ("figure", "holds"),
    [
        (Held(0.97, at_least=0.97), True),
        (Held(0.969, at_least=0.97), False),
        (Held(6000, at_most=6000), True),
        (Held(6001, at_most=6000), False),
        (Held(0.89, at_least=0.9, at_most=1.1), False),
        (Held(1.11, at_least=0.9, at_most=1.1), False),
        (Held(math.nan, at_least=0.9), False),
    ],
)
def test_a_figure_holds_within_its_bounds(figure: Held, holds: bool) -> None:
    assert figure.holds is holds


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (Held(0.98, at_least=0.97), "at least 0.97"),
        (Held(1, at_most=6000), "at most 6,000"),
        (Held(1.0, at_least=0.9, at_most=1.1), "at least 0.9, at most 1.1"),
        (Held(7, at_least=7, at_most=7), "exactly 7"),
        (Held(1, at_most=0), "at most 0: MISSED"),
    ],
)
def test_the_bounds_of_a_figure_stand_beside_it(figure: Held, words: str) -> None:
    assert row("use", Report("Budget", {"use": figure, "minutes": 5}))[2] == words


def test_a_report_without_bounds_has_no_column_for_them() -> None:
    assert row("minutes", Report("Budget", {"minutes": 5})) == ["minutes", "5"]


@pytest.mark.parametrize(
    ("values", "code"), [((0, 0), 0), ((0, 1), 1), ((1, 0), 1)], ids=["none", "second", "first"]
)
def test_a_measurement_ends_with_1_where_a_figure_of_any_report_misses(
    values: tuple[int, ...], code: int
) -> None:
    reports = [Report("", {"refused": Held(value, at_most=0), "n": 5}) for value in values]
    with pytest.raises(SystemExit) as ended:
        conclude(reports)
    assert ended.value.code == code
