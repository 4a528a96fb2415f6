"""`candlelog report`: how much of what should be known is."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from candlelog_client.cli import output
from candlelog_client.cli.figures import count, minute, percent
from candlelog_client.cli.grid import grid
from candlelog_client.cli.options import DEFAULT_DATA_DIR, DataDir, End, Json, Limit, Start
from candlelog_client.cli.session import collect, run

if TYPE_CHECKING:
    from candlelog_client.stored import Completeness, Seam

app = typer.Typer(no_args_is_help=True, help="Reports about what is stored.")

_STATES: Final = (
    "present", "provisional", "no_trade", "outage", "unlisted", "unfetchable", "unknown",
)  # fmt: skip
_COLOURS: Final = {"fresh": "green", "aging": "yellow", "stale": "red"}


class By(StrEnum):
    """What a line is about."""

    series = "series"
    symbol = "symbol"
    exchange = "exchange"
    day = "day"


@app.command()
def completeness(  # noqa: PLR0913 - one parameter per option
    *,
    by: Annotated[By, typer.Option(help="What a line is about.")] = By.series,
    exchange: Annotated[str | None, typer.Option(help="Only this exchange.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Only this timeframe.")] = None,
    start: Start = None,
    end: End = None,
    limit: Limit = 1000,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """How many slots are in which state, and how long the next candle has been missing.

    Without --start from the first slot of each series that was answered, and up to now.
    """
    found = run(
        data_dir,
        lambda c: collect(
            c.completeness(
                by=by.value,
                exchange=exchange,
                symbol=symbol,
                timeframe=timeframe,
                start=start,
                end=end,
                limit=limit,
            )
        ),
    )
    if json:
        output.show_json(output.plain(found))
    else:
        output.show(_table(found, by))


def _table(rows: "list[Completeness]", by: By) -> RenderableType:
    if not rows:
        return "Nothing was asked for yet."
    names = {
        By.series: ("exchange", "symbol", "timeframe"),
        By.symbol: ("exchange", "symbol"),
        By.exchange: ("exchange",),
        By.day: ("day",),
    }[by]
    states = [state for state in _STATES if any(state in row.states for row in rows)]
    columns = (*names, "slots", *states, "complete", "until", "freshness")
    table = grid(*columns[: -2 if by is By.day else None], whole=("symbol", "day", "until"))
    for row in rows:
        cells: list[RenderableType] = [escape(str(getattr(row, name))) for name in names]
        cells += [count(row.slots), *(count(row.states.get(state, 0)) for state in states)]
        cells.append(percent(100 * row.completeness))
        if by is not By.day:
            fresh = row.freshness or "–"
            cells += [minute(row.end), Text(fresh, style=_COLOURS.get(fresh, ""))]
        table.add_row(*cells)
    return table


@app.command()
def seams(
    *,
    exchange: Annotated[str | None, typer.Option(help="Only this exchange.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Only this timeframe.")] = None,
    limit: Limit = 1000,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Where candles of files and of the venue were compared, and what differs."""
    wanted = {"exchange": exchange, "symbol": symbol, "timeframe": timeframe}
    found = run(data_dir, lambda c: collect(c.seams(**wanted, limit=limit)))
    if json:
        output.show_json(output.plain(found))
    else:
        output.show(_seams(found))


def _seams(rows: "list[Seam]") -> RenderableType:
    if not rows:
        return "No series was read both from files and from its venue."
    columns = ("exchange", "symbol", "timeframe", "start", "end", "slots", "differing")
    table = grid(*columns, "first difference: file", "venue", whole=("symbol", "start", "end"))
    for row in rows:
        first = row.differences[0] if row.differences else None
        table.add_row(
            escape(row.exchange),
            escape(row.symbol),
            row.timeframe,
            minute(row.start),
            minute(row.end),
            count(row.slots),
            Text(count(row.differing), style="red" if row.differing else "green"),
            "–" if first is None else f"{minute(first.open_time)} close {first.archive.close:g}",
            "–" if first is None else f"close {first.venue.close:g}",
        )
    return table
