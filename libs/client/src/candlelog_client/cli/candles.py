"""`candlelog candles`: get, export, plot."""

from typing import Any, Final

import typer

from candlelog_client.cli import output, ranges
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
from candlelog_client.cli.session import run

app = typer.Typer(no_args_is_help=True, help="Read stored candles.")

_SHOWN: Final = ("open", "high", "low", "close", "volume", "quote_volume", "trades")


@app.command()
def get(
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
    """The first candles of a range, as a table."""
    query = _query(exchange, symbol, timeframe, start=start, end=end)
    pages = ranges.first(query, limit, data_dir)
    if json:
        ranges.show_json(pages)
    else:
        ranges.show(pages, _SHOWN, repr, noun="candles", limit=limit)


@app.command()
def export(  # noqa: PLR0913 - one parameter per option
    *,
    symbol: ranges.Symbol,
    timeframe: ranges.Timeframe,
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    format: ranges.ExportFormat = ranges.Format.csv,  # noqa: A002 - the name of the REST parameter
    to: ranges.Target = ranges.STDOUT,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The whole range into a file or stdout."""
    query = _query(exchange, symbol, timeframe, start=start, end=end)
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


def _query(*series: str, **times: Any) -> ranges.Query:
    return lambda client: client.candles(*series, **times)
