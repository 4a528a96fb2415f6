"""`candlelog up`, `down`, `ps`, `doctor`, `sandbox`: the system on this machine."""

import typer

from candlelog_client.cli.sandbox import EVERYTHING_IS_PASSED_ON, sandbox


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command(context_settings=EVERYTHING_IS_PASSED_ON)(sandbox)
