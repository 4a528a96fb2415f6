"""Options of `candlelog jobs submit`: the fields of the REST body, under their names."""

from typing import Annotated

import typer

Symbols = Annotated[
    list[str], typer.Option("--symbols", "--symbol", help="BTC/USDT; repeat or use commas.")
]
Timeframes = Annotated[
    list[str], typer.Option("--timeframes", "--timeframe", help="1m, 1h, …; repeat or commas.")
]
Lookback = Annotated[
    list[str] | None, typer.Option("--lookback", "--since", help="Instead of --start: 30d, 12h.")
]
Source = Annotated[str | None, typer.Option(help="auto, rest or archive.")]
Features = Annotated[
    bool | None, typer.Option(help="Compute features too; they are unless you say no.")
]
FeatureSets = Annotated[
    list[str] | None,
    typer.Option("--feature-sets", "--feature-set", help="default, …; repeat or use commas."),
]
Incremental = Annotated[bool | None, typer.Option(help="Ask only for what is not known yet.")]
Priority = Annotated[int | None, typer.Option(help="0 to 9; more is sooner.")]
MaxAttempts = Annotated[int | None, typer.Option(help="Attempts per chunk.")]
Label = Annotated[str | None, typer.Option(help="A name of your own.")]
IdempotencyKey = Annotated[
    str | None, typer.Option(help="The same key and request give the same job.")
]
JobIds = Annotated[list[str], typer.Argument(help="Ids of jobs.", show_default=False)]
OfSymbols = Annotated[
    list[str] | None, typer.Option("--symbols", "--symbol", help="Only the tasks of these.")
]
OfTasks = Annotated[
    list[str] | None, typer.Option("--tasks", "--task", help="Only these tasks, by their ids.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what the job would do, and submit nothing.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the job to its end.")]
