"""`candlelog quarantine`: rows that were not believed."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.markup import escape

from candlelog_client.cli import output
from candlelog_client.cli.figures import moment
from candlelog_client.cli.grid import grid
from candlelog_client.cli.options import DEFAULT_DATA_DIR, DataDir, Json, Limit
from candlelog_client.cli.session import collect, run

if TYPE_CHECKING:
    from candlelog_client.stored import QuarantinedRow

app = typer.Typer(no_args_is_help=True, help="Rows of an exchange that broke a rule.")


@app.command("list")
def list_rows(
    *,
    exchange: Annotated[str | None, typer.Option(help="Only this exchange.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Only this timeframe.")] = None,
    limit: Limit = 100,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Quarantined rows with the reason and the text as it came."""
    rows = run(
        data_dir,
        lambda c: collect(
            c.quarantine(exchange=exchange, symbol=symbol, timeframe=timeframe, limit=limit)
        ),
    )
    if json:
        output.show_json(output.plain(rows))
    else:
        output.show(_table(rows))


def _table(rows: "list[QuarantinedRow]") -> RenderableType:
    if not rows:
        return "Nothing is quarantined."
    table = grid("exchange", "symbol", "timeframe", "open time", "reason", "raw")
    for row in rows:
        series = (escape(row.exchange), escape(row.symbol), row.timeframe)
        table.add_row(*series, moment(row.open_time), escape(row.reason), escape(row.raw))
    return table
