"""`candlelog series`: what is stored."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.markup import escape

from candlelog_client.cli import output
from candlelog_client.cli.figures import count, minute
from candlelog_client.cli.grid import grid
from candlelog_client.cli.options import DEFAULT_DATA_DIR, DataDir, Json, Limit
from candlelog_client.cli.session import collect, run

if TYPE_CHECKING:
    from candlelog_client.stored import StoredSeries

app = typer.Typer(no_args_is_help=True, help="What is stored.")


@app.command("list")
def list_series(
    *,
    exchange: Annotated[str | None, typer.Option(help="Only this exchange.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Only this timeframe.")] = None,
    limit: Limit = 1000,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Every series that holds candles, with its range."""
    found = run(
        data_dir,
        lambda c: collect(
            c.series(exchange=exchange, symbol=symbol, timeframe=timeframe, limit=limit)
        ),
    )
    if json:
        output.show_json(output.plain(found))
    else:
        output.show(_table(found))


def _table(rows: "list[StoredSeries]") -> RenderableType:
    if not rows:
        return "No series."
    columns = ("exchange", "symbol", "timeframe", "candles", "first", "last")
    table = grid(*columns, whole=("symbol", "first", "last"))
    for row in rows:
        table.add_row(
            escape(row.exchange),
            escape(row.symbol),
            row.timeframe,
            count(row.candles),
            minute(row.first_open_time),
            minute(row.last_open_time),
        )
    return table
