"""The demo's result for a person."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from candlelog_client.cli.figures import count, duration, percent, speed
from candlelog_client.cli.grid import facts, grid
from candlelog_client.cli.price_plot import draw
from candlelog_client.demo import market
from candlelog_client.demo.checks import Check
from candlelog_client.demo.inspection import Inspection


def report(console: Console, found: Inspection) -> None:
    """Print tables, a plot, and every check that does not hold."""
    if found.sample.num_rows:
        title = f"{market.SAMPLE} 1m, February 2024"
        console.print(draw(found.sample, title=title, width=console.width))
    console.print(_series(found))
    console.print(_figures(found))
    _verdict(console, found.checks)


def _series(found: Inspection) -> Table:
    table = grid("series", "in the source", "stored", "equal", "coverage")
    for one in found.series:
        table.add_row(
            one.name,
            count(one.in_source),
            count(one.stored),
            _mark(one.candles),
            _mark(one.coverage),
        )
    return table


def _figures(found: Inspection) -> Table:
    job, arrivals = found.job, found.arrivals
    table = facts()
    table.add_row("candles stored", count(job.candles_stored))
    table.add_row("the job took", duration(job.duration_seconds))
    table.add_row("candles per second", speed(job.candles_per_second))
    table.add_row("requests at the exchange", count(arrivals.requests))
    table.add_row(
        "weight at the exchange",
        f"{count(arrivals.weight)}, at most {count(arrivals.heaviest)} in a minute",
    )
    for limit in found.limits:
        share = None if limit.utilisation is None else 100 * limit.utilisation
        used = f"{count(limit.used)} of {count(limit.capacity)} ({percent(share)})"
        table.add_row(f"budget {limit.budget}", f"{used} used in the newest window")
    return table


def _verdict(console: Console, checks: Sequence[Check]) -> None:
    failed = [check for check in checks if not check.holds]
    for check in failed:
        console.print(f"[red]does not hold:[/] {check.claim}: {check.found}")
    if not failed:
        console.print(f"[green]All {len(checks)} checks hold.[/]")


def _mark(check: Check) -> str:
    return "[green]yes[/]" if check.holds else "[red]no[/]"
