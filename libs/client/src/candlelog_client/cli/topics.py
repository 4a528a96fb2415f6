"""`candlelog topics`: the topics of the log."""

import typer

app = typer.Typer(no_args_is_help=True, help="Topics of the log.")
