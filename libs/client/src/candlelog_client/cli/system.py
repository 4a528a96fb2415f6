"""`candlelog up`, `down`, `ps`, `doctor`, `sandbox`."""

import typer


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
