"""`candlelog candles`: get, export, plot."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from candlelog_client.cli import output
from candlelog_client.cli.exits import Exit
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

if TYPE_CHECKING:
    import pyarrow as pa

    from candlelog_client.candles import CandleQuery
    from candlelog_client.client import Candlelog

app = typer.Typer(no_args_is_help=True, help="Read stored candles.")

Symbol = Annotated[str, typer.Option("--symbol", "--symbols", help="BTC/USDT.")]
Timeframe = Annotated[str, typer.Option("--timeframe", "--timeframes", help="1m, 1h, …")]


class Format(StrEnum):
    """What `export` writes."""

    csv = "csv"
    parquet = "parquet"


@app.command()
def get(
    *,
    symbol: Symbol,
    timeframe: Timeframe,
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    limit: Limit = 100,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The first candles of a range, as a table."""

    async def read(client: "Candlelog") -> "list[pa.Table]":
        query = client.candles(exchange, symbol, timeframe, start=start, end=end)
        return [page async for page in query.pages(limit=limit)]

    pages = run(data_dir, read)
    from candlelog_client.cli import candle_tables  # noqa: PLC0415 - `--help` stays quick

    if json:
        output.show_json([row for page in pages for row in candle_tables.rows(page)])
    else:
        output.show(candle_tables.table(pages, limit))


@app.command()
def export(  # noqa: PLR0913 - one parameter per option
    *,
    symbol: Symbol,
    timeframe: Timeframe,
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    format: Annotated[Format, typer.Option(help="What to write.")] = Format.csv,  # noqa: A002 - the name of the REST parameter
    to: Annotated[Path, typer.Option("--output", "-o", help="File, or - for stdout.")] = Path("-"),
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The whole range into a file or stdout."""
    if to == Path("-") and (json or format is Format.parquet):
        output.fail("--json and --format parquet need a file: name one with -o", Exit.USAGE)
    from candlelog_client.cli import exporting  # noqa: PLC0415 - `--help` stays quick

    def query(client: "Candlelog") -> "CandleQuery":
        return client.candles(exchange, symbol, timeframe, start=start, end=end)

    expected = exporting.expected_rows(timeframe, start, end)
    write = exporting.WRITERS[format.value]
    written = run(data_dir, lambda c: write(query(c), to, expected))
    if json:
        output.show_json(asdict(written))
    else:
        output.say(f"{written.rows:,} candles, {written.bytes:,} bytes to {to}")


@app.command()
def plot(
    *,
    symbol: Symbol,
    timeframe: Timeframe,
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Draw the closing prices of a range in the terminal."""

    async def read(client: "Candlelog") -> Any:
        return await client.candles(exchange, symbol, timeframe, start=start, end=end).to_arrow()

    table = run(data_dir, read)
    from candlelog_client.cli import candle_tables, price_plot  # noqa: PLC0415 - `--help` stays quick

    if json:
        output.show_json(list(candle_tables.rows(table.select(["open_time", "close"]))))
    elif table.num_rows == 0:
        output.fail(f"no candles of {symbol} {timeframe} on {exchange} in this range")
    else:
        title = f"{exchange} {symbol} {timeframe}"
        output.show(price_plot.draw(table, title=title, width=output.stdout().width))
