"""`candlelog files`: files of archives that were read, or refused."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from candlelog_client.cli import output
from candlelog_client.cli.figures import count, minute, moment
from candlelog_client.cli.grid import grid
from candlelog_client.cli.options import DEFAULT_DATA_DIR, DataDir, Json, Limit
from candlelog_client.cli.session import collect, run

if TYPE_CHECKING:
    from candlelog_client.stored import File

app = typer.Typer(no_args_is_help=True, help="Files of archives.")

_COLOURS = {"read": "green", "refused": "red", "superseded": "dim"}


@app.command("list")
def list_files(
    *,
    exchange: Annotated[str | None, typer.Option(help="Only this exchange.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Only this timeframe.")] = None,
    status: Annotated[str | None, typer.Option(help="read, refused or superseded.")] = None,
    limit: Limit = 1000,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Files that jobs have read, with what was found, or why they were refused."""
    wanted = {"exchange": exchange, "symbol": symbol, "timeframe": timeframe, "status": status}
    found = run(data_dir, lambda c: collect(c.files(**wanted, limit=limit)))
    if json:
        output.show_json(output.plain(found))
    else:
        output.show(_table(found))


def _table(rows: "list[File]") -> RenderableType:
    if not rows:
        return "No file of an archive was read yet."
    table = grid(
        "path",
        "status",
        "rows",
        "missing",
        "differing",
        "first",
        "last",
        "quarantined",
        "read at",
        whole=("path",),
    )
    for row in rows:
        result = Text(row.refused or row.status, style=_COLOURS.get(row.status, ""))
        table.add_row(
            escape(row.path),
            result,
            count(row.rows),
            Text(count(row.missing), style="yellow" if row.missing else ""),
            Text(count(row.differing), style="yellow" if row.differing else ""),
            minute(row.first_open_time),
            minute(row.last_open_time),
            count(row.quarantined),
            moment(row.read_at),
        )
    return table
