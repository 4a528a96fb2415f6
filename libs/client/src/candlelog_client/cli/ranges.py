"""What `candlelog candles` and `candlelog features` share: options, reading, exporting."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from candlelog_client.cli import output
from candlelog_client.cli.exits import Exit
from candlelog_client.cli.session import run

if TYPE_CHECKING:
    import pyarrow as pa

    from candlelog_client.cli.range_tables import Tell
    from candlelog_client.client import Candlelog
    from candlelog_client.ranges import RangeQuery

Query = Callable[["Candlelog"], "RangeQuery"]

Symbol = Annotated[str, typer.Option("--symbol", "--symbols", help="BTC/USDT.")]
Timeframe = Annotated[str, typer.Option("--timeframe", "--timeframes", help="1m, 1h, …")]


class Format(StrEnum):
    """What `export` writes."""

    csv = "csv"
    parquet = "parquet"
    arrow = "arrow"


class Filling(StrEnum):
    """What slots without a candle have."""

    none = "none"
    flagged = "flagged"


ExportFormat = Annotated[Format, typer.Option(help="What to write.")]
Target = Annotated[Path, typer.Option("--output", "-o", help="File, or - for stdout.")]
STDOUT = Path("-")


def first(query: Query, limit: int, data_dir: Path) -> "list[pa.Table]":
    """The first rows of a range, in pages."""

    async def read(client: "Candlelog") -> "list[pa.Table]":
        return [page async for page in query(client).pages(limit=limit)]

    return run(data_dir, read)


def show_json(pages: "Sequence[pa.Table]") -> None:
    """Print rows as one JSON list."""
    from candlelog_client.cli import range_tables  # noqa: PLC0415 - `--help` stays quick

    output.show_json([row for page in pages for row in range_tables.rows(page)])


def show(
    pages: "Sequence[pa.Table]", columns: Sequence[str], tell: "Tell", *, noun: str, limit: int
) -> None:
    """Print rows as a table; where there may be more than the `limit`, say how to get them."""
    if not pages:
        output.show(f"No {noun} in this range.")
        return
    from candlelog_client.cli import range_tables  # noqa: PLC0415 - `--help` stays quick

    output.show(range_tables.table(pages, columns, tell))
    if sum(page.num_rows for page in pages) >= limit:
        output.show(f"The first {limit}; more with --limit, all with candlelog {noun} export.")


def export(query: Query, to: Path, format: Format, *, json: bool, data_dir: Path) -> None:  # noqa: A002 - the name of the REST parameter
    """Write a whole range into a file or stdout, and say how much it was."""
    if to == STDOUT and (json or format is not Format.csv):
        output.fail("--json and --format other than csv need a file: name one with -o", Exit.USAGE)
    from candlelog_client.cli import exporting  # noqa: PLC0415 - `--help` stays quick

    write = exporting.WRITERS[format.value]
    written = run(data_dir, lambda client: write(query(client), to))
    if json:
        output.show_json(asdict(written))
    else:
        output.say(f"{written.rows:,} rows, {written.bytes:,} bytes to {to}")
