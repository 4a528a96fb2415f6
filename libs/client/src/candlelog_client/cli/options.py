"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir", help="Data directory of the embedded system.", envvar="CANDLELOG_DATA_DIR"
    ),
]
DEFAULT_DATA_DIR = Path(".candlelog")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]

Exchange = Annotated[str, typer.Option(help="binance, binanceusdm or kraken.")]
DEFAULT_EXCHANGE = "binance"

Start = Annotated[
    str | None, typer.Option(help="First open time, ISO 8601; UTC unless it says otherwise.")
]
End = Annotated[str | None, typer.Option(help="End of the range, not part of it.")]
Limit = Annotated[int, typer.Option(min=1, help="At most this many.")]


def split(values: list[str]) -> list[str]:
    """Values given by repeating the option, by commas, or both."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]
