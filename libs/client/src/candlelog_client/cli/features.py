"""`candlelog features`: get, export."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from candlelog_client.cli import output, ranges
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
    split,
)

if TYPE_CHECKING:
    import pyarrow as pa

app = typer.Typer(no_args_is_help=True, help="Read stored features.")

FeatureSet = Annotated[str, typer.Option(help="Name of a feature set.")]
_DEFAULT_SET: Final = "default"
_MOST_SHOWN: Final = 8
_NO_FEATURES: Final = frozenset(
    {"exchange", "symbol", "timeframe", "open_time", "feature_set", "version"}
)


@app.command()
def get(  # noqa: PLR0913 - one parameter per option
    *,
    symbol: ranges.Symbol,
    timeframe: ranges.Timeframe,
    exchange: Exchange = DEFAULT_EXCHANGE,
    feature_set: FeatureSet = _DEFAULT_SET,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", "--column", help="Features to show; repeat or use commas."),
    ] = None,
    start: Start = None,
    end: End = None,
    limit: Limit = 100,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The first features of a range, as a table with some of the columns; all with --json."""
    query = _query(exchange, symbol, timeframe, feature_set=feature_set, start=start, end=end)
    pages = ranges.first(query, limit, data_dir)
    if json:
        ranges.show_json(pages)
    else:
        shown = _chosen(pages, split(columns or []))
        ranges.show(pages, shown, "{:.6g}".format, noun="features", limit=limit)


@app.command()
def export(  # noqa: PLR0913 - one parameter per option
    *,
    symbol: ranges.Symbol,
    timeframe: ranges.Timeframe,
    exchange: Exchange = DEFAULT_EXCHANGE,
    feature_set: FeatureSet = _DEFAULT_SET,
    start: Start = None,
    end: End = None,
    format: ranges.ExportFormat = ranges.Format.csv,  # noqa: A002 - the name of the REST parameter
    to: ranges.Target = ranges.STDOUT,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """The whole range into a file or stdout."""
    query = _query(exchange, symbol, timeframe, feature_set=feature_set, start=start, end=end)
    ranges.export(query, to, format, json=json, data_dir=data_dir)


def _query(*series: str, **options: Any) -> ranges.Query:
    return lambda client: client.features(*series, **options)


def _chosen(pages: "Sequence[pa.Table]", wanted: Sequence[str]) -> Sequence[str]:
    """The columns to show: those that were named, or the first few."""
    names = pages[0].column_names if pages else []
    known = [name for name in names if name not in _NO_FEATURES]
    unknown = [name for name in wanted if name not in known] if pages else []
    if unknown:
        output.fail(f"no feature {unknown[0]!r}; there are {', '.join(known)}", Exit.USAGE)
    return wanted or known[:_MOST_SHOWN]
