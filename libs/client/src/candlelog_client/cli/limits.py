"""`candlelog limits`: what the rate limits allow and what is used of it."""

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import RenderableType
from rich.live import Live

from candlelog_client.cli import output
from candlelog_client.cli.figures import count, duration, moment, percent
from candlelog_client.cli.grid import grid
from candlelog_client.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from candlelog_client.cli.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from candlelog_client.client import Candlelog
    from candlelog_client.results import Limit, LimitWindow

_EVERY_SECONDS: Final = 1.0
_SHORT: Final = 8
"""Characters of an id that tell one allocator from the next."""

app = typer.Typer(no_args_is_help=True, help="Rate limits of the exchanges.")


Watch = Annotated[bool, typer.Option("--watch", help="Again every second, until Ctrl-C.")]


@app.command()
def show(watch: Watch = False, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Each budget: capacity, granted, used, who grants, and until when the exchange wants quiet."""
    if watch:
        run(data_dir, lambda c: _watched(c, json=json))
        return
    budgets = run(data_dir, lambda c: c.limits())
    if json:
        output.show_json(output.plain(budgets))
    else:
        output.show(_table(budgets))


async def _watched(client: "Candlelog", *, json: bool) -> None:
    """A table that changes in place in a terminal; elsewhere, one table or one line of JSON a
    second."""
    console = output.stdout()
    in_place = console.is_terminal and not json
    with Live(console=console, auto_refresh=False) if in_place else nullcontext() as live:
        while True:
            budgets = await client.limits()
            if live is not None:
                live.update(_table(budgets), refresh=True)
            elif json:
                output.show_json_line(output.plain(budgets))
            else:
                output.show(_table(budgets))
            await asyncio.sleep(_EVERY_SECONDS)


def _table(rows: "Sequence[Limit]") -> RenderableType:
    if not rows:
        return "No budget yet: no exchange was asked for anything."
    columns = ("budget", "capacity", "window", "granted", "used", "share", "granted by", "backoff")
    table = grid(*columns, whole=("budget", "window", "share"))
    for row in rows:
        share = None if row.utilisation is None else 100 * row.utilisation
        table.add_row(
            row.budget,
            count(row.capacity),
            _window(row.window),
            count(row.granted),
            count(row.used),
            percent(share),
            "" if row.allocator is None else str(row.allocator)[:_SHORT],
            moment(row.backoff_until),
        )
    return table


def _window(window: "LimitWindow | None") -> str:
    """When it is or was: of a budget nobody wants anything of the newest one is long over."""
    if window is None:
        return "–"
    length = duration((window.end - window.start).total_seconds())
    return f"{moment(window.start)} + {length}"
