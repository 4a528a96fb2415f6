"""`candlelog gaps`: what nothing explains, and having it asked for."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from candlelog_client.cli import job_options, job_tables, output
from candlelog_client.cli.exits import Exit, of_status
from candlelog_client.cli.figures import count, minute
from candlelog_client.cli.follow import followed
from candlelog_client.cli.grid import grid
from candlelog_client.cli.options import DEFAULT_DATA_DIR, DataDir, Json, Limit, split
from candlelog_client.cli.session import collect, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from candlelog_client.client import Candlelog
    from candlelog_client.results import Job
    from candlelog_client.stored import Gap

app = typer.Typer(no_args_is_help=True, help="Slots that nothing explains.")

_STATES = "detected, filling, unfillable, failed, filled, merged, open or any."
_FILES = 20
"""Names of files below a table."""
_COLOURS = {
    "detected": "yellow",
    "filling": "cyan",
    "unfillable": "magenta",
    "failed": "red",
    "filled": "green",
}


@app.command("list")
def list_gaps(
    *,
    exchange: Annotated[str | None, typer.Option(help="Only this exchange.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Only this timeframe.")] = None,
    state: Annotated[str, typer.Option(help=f"Only gaps in this state: {_STATES}")] = "open",
    limit: Limit = 1000,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Gaps by series and start; those that are open unless told otherwise."""
    wanted = {"exchange": exchange, "symbol": symbol, "timeframe": timeframe, "state": state}
    gaps = run(data_dir, lambda c: collect(c.gaps(**wanted, limit=limit)))
    if json:
        output.show_json(output.plain(gaps))
    else:
        output.show(_table(gaps))


@app.command()
def fill(
    gap_ids: Annotated[
        list[str] | None, typer.Argument(help="Ids of gaps; without any, all that match.")
    ] = None,
    *,
    exchange: Annotated[str | None, typer.Option(help="Only gaps of this exchange.")] = None,
    symbols: Annotated[
        list[str] | None, typer.Option("--symbols", "--symbol", help="Only of these symbols.")
    ] = None,
    timeframes: Annotated[
        list[str] | None, typer.Option("--timeframes", "--timeframe", help="Only of these.")
    ] = None,
    wait: job_options.Wait = False,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Have gaps asked for again. Exit code with --wait: 0 only if every job completed."""
    if gap_ids and (exchange or symbols or timeframes):
        output.fail("give ids of gaps, or what they are to match, not both", Exit.USAGE)

    async def submitted(client: "Candlelog") -> "tuple[Job, ...]":
        if gap_ids:
            return tuple([await client.gaps.fill(gap_id) for gap_id in gap_ids])
        return await client.gaps.fill_all(
            exchange=exchange,
            symbols=split(symbols) if symbols else None,
            timeframes=split(timeframes) if timeframes else None,
        )

    jobs = run(data_dir, submitted)
    if wait:
        output.say(f"submitted: {', '.join(job.id for job in jobs)}")
        jobs = tuple(followed(data_dir, job.id) for job in jobs)
    if json:
        output.show_json(output.plain(jobs))
    else:
        output.show(job_tables.jobs(jobs))
    if wait:
        raise typer.Exit(max(of_status(job.status) for job in jobs))


def _table(rows: "Sequence[Gap]") -> RenderableType:
    if not rows:
        return "No gaps."
    columns = ("id", "exchange", "symbol", "timeframe", "start", "end", "slots", "beyond reach")
    table = grid(*columns, "state", "attempts", whole=("id", "symbol", "start", "end"))
    for row in rows:
        table.add_row(
            row.id,
            escape(row.exchange),
            escape(row.symbol),
            row.timeframe,
            minute(row.start),
            minute(row.end),
            count(row.slots),
            count(row.beyond_reach),
            Text(row.state, style=_COLOURS.get(row.state, "")),
            count(row.attempts),
        )
    if any(row.beyond_reach for row in rows):
        return Group(table, "", *_files(rows))
    return table


def _files(rows: "Sequence[Gap]") -> "Iterator[str]":
    """What would fill gaps that no venue can."""
    wanted = dict.fromkeys(file for row in rows if row.beyond_reach for file in row.files)
    yield "What is beyond reach lies in files such as these:"
    for file in list(wanted)[:_FILES]:
        yield f"  {escape(file)}"
    if len(wanted) > _FILES:
        yield f"  and {len(wanted) - _FILES} more: --json names them"
