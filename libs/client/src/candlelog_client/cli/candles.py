"""`candlelog candles`: get, export, plot, revisions."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.markup import escape

from candlelog_client.cli import output, ranges
from candlelog_client.cli.figures import moment
from candlelog_client.cli.grid import grid
from candlelog_client.cli.options import (
    DEFAULT_DATA_DIR,
    DEFAULT_EXCHANGE,
    DataDir,
    End,
    Exchange,
    Json,
    Limit,
    Start,
)
from candlelog_client.cli.session import collect, run

if TYPE_CHECKING:
    from candlelog_client.stored import Revision

app = typer.Typer(no_args_is_help=True, help="Read stored candles.")

_SHOWN: Final = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "state")
_COMPARED: Final = _SHOWN[:-1]

AsOf = Annotated[
    str | None, typer.Option(help="Candles as they were believed then, ISO 8601, instead of now.")
]
Filled = Annotated[
    ranges.Filling, typer.Option(help="flagged: a row also for every slot without a candle.")
]


@app.command()
def get(  # noqa: PLR0913 - one parameter per option
    *,
    symbol: ranges.Symbol,
    timeframe: ranges.Timeframe,
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    as_of: AsOf = None,
    fill: Filled = ranges.Filling.none,
    limit: Limit = 100,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The first candles of a range, as a table."""
    times = {"start": start, "end": end, "as_of": as_of}
    query = _query(exchange, symbol, timeframe, **times, fill=fill.value)
    pages = ranges.first(query, limit, data_dir)
    if json:
        ranges.show_json(pages)
    else:
        ranges.show(pages, _SHOWN, str, noun="candles", limit=limit)


@app.command()
def export(  # noqa: PLR0913 - one parameter per option
    *,
    symbol: ranges.Symbol,
    timeframe: ranges.Timeframe,
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    as_of: AsOf = None,
    fill: Filled = ranges.Filling.none,
    format: ranges.ExportFormat = ranges.Format.csv,  # noqa: A002 - the name of the REST parameter
    to: ranges.Target = ranges.STDOUT,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The whole range into a file or stdout."""
    times = {"start": start, "end": end, "as_of": as_of}
    query = _query(exchange, symbol, timeframe, **times, fill=fill.value)
    ranges.export(query, to, format, json=json, data_dir=data_dir)


@app.command()
def plot(
    *,
    symbol: ranges.Symbol,
    timeframe: ranges.Timeframe,
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Draw the closing prices of a range in the terminal."""
    query = _query(exchange, symbol, timeframe, start=start, end=end)
    table = run(data_dir, lambda client: query(client).to_arrow())
    if json:
        ranges.show_json([table.select(["open_time", "close"])])
    elif table.num_rows == 0:
        output.fail(f"no candles of {symbol} {timeframe} on {exchange} in this range")
    else:
        from candlelog_client.cli import price_plot  # noqa: PLC0415 - `--help` stays quick

        title = f"{exchange} {symbol} {timeframe}"
        output.show(price_plot.draw(table, title=title, width=output.stdout().width))


@app.command()
def revisions(
    *,
    symbol: ranges.Symbol,
    timeframe: ranges.Timeframe,
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    limit: Limit = 100,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """What was believed before of candles that were restated, and until when."""
    found = run(
        data_dir,
        lambda client: collect(
            client.revisions(exchange, symbol, timeframe, start=start, end=end, limit=limit)
        ),
    )
    if json:
        output.show_json(output.plain(found))
    else:
        output.show(_history(found))


def _history(rows: "list[Revision]") -> RenderableType:
    """One version a line; of what changed against the version before it the numbers."""
    if not rows:
        return "No candle in this range was restated."
    table = grid("open_time", "believed from", "until", *_COMPARED, "source", whole=("open_time",))
    before: Revision | None = None
    for row in rows:
        first = before is None or before.open_time != row.open_time
        numbers = [
            _told(getattr(row, name))
            if first or getattr(row, name) != getattr(before, name)
            else ""
            for name in _COMPARED
        ]
        until = "now" if row.superseded_at is None else moment(row.superseded_at)
        opened = moment(row.open_time) if first else ""
        table.add_row(opened, moment(row.observed_at), until, *numbers, escape(row.source))
        before = row
    return table


def _told(value: float | None) -> str:
    return "–" if value is None else str(value)


def _query(*series: str, **times: Any) -> ranges.Query:
    return lambda client: client.candles(*series, **times)
