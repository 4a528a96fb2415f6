"""`candlelog limits`: what the rate limits allow and what is used of it."""

from typing import TYPE_CHECKING

import typer
from rich.console import RenderableType

from candlelog_client.cli import output
from candlelog_client.cli.figures import count, duration, moment, percent
from candlelog_client.cli.grid import grid
from candlelog_client.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from candlelog_client.cli.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from candlelog_client.results import Limit

app = typer.Typer(no_args_is_help=True, help="Rate limits of the exchanges.")


@app.command()
def show(json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Each budget: capacity, granted, used, and until when the exchange wants quiet."""
    budgets = run(data_dir, lambda c: c.limits())
    if json:
        output.show_json(output.plain(budgets))
    else:
        output.show(_table(budgets))


def _table(rows: "Sequence[Limit]") -> RenderableType:
    if not rows:
        return "No budget yet: no exchange was asked for anything."
    columns = ("budget", "capacity", "window", "granted", "used", "share", "backoff")
    table = grid(*columns, whole=("budget", "window", "share"))
    for row in rows:
        share = None if row.utilisation is None else 100 * row.utilisation
        table.add_row(
            row.budget,
            count(row.capacity),
            duration(row.window_seconds),
            count(row.granted),
            count(row.used),
            percent(share),
            moment(row.backoff_until),
        )
    return table
