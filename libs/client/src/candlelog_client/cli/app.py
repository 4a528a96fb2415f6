"""The root of the `candlelog` command."""

import os
import sys

import typer

from candlelog_client.cli import (
    candles,
    coverage,
    features,
    files,
    gaps,
    jobs,
    limits,
    quarantine,
    replay,
    report,
    series,
    system,
    topics,
)
from candlelog_client.cli.exits import Exit

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Candlelog: exchange candles, complete and explained.",
)
system.add_to(app)
app.add_typer(jobs.app, name="jobs")
app.add_typer(candles.app, name="candles")
app.add_typer(features.app, name="features")
app.add_typer(series.app, name="series")
app.add_typer(coverage.app, name="coverage")
app.add_typer(gaps.app, name="gaps")
app.add_typer(report.app, name="report")
app.add_typer(files.app, name="files")
app.add_typer(replay.app, name="replay")
app.add_typer(limits.app, name="limits")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(topics.app, name="topics")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except BrokenPipeError:  # the reader of a pipe, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.FAILURE)
