"""`candlelog coverage`: the state of every slot of a series."""

from typing import Annotated

import typer

from candlelog_client.cli import output
from candlelog_client.cli.coverage_picture import draw
from candlelog_client.cli.options import (
    DEFAULT_DATA_DIR,
    DEFAULT_EXCHANGE,
    DataDir,
    End,
    Exchange,
    Json,
    Start,
)
from candlelog_client.cli.session import collect, run

app = typer.Typer(no_args_is_help=True, help="What is known of every slot of a series.")


@app.command()
def show(
    *,
    symbol: Annotated[str, typer.Option(help="Symbol, such as BTC/USDT.")],
    timeframe: Annotated[str, typer.Option(help="Timeframe, such as 1m.")],
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """A picture with a character a day, in the state of its worst slot; --json lists the runs.

    Without --start from the first slot that was ever asked for.
    """
    runs = run(
        data_dir,
        lambda c: collect(c.coverage(exchange, symbol, timeframe, start=start, end=end)),
    )
    if json:
        output.show_json(output.plain(runs))
    else:
        output.show(draw(runs))
