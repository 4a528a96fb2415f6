"""The look of every table."""

from rich.table import Table


def grid(*columns: str, whole: tuple[str, ...] = ()) -> Table:
    """A table with these columns; those named `whole` are never folded."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold cyan")
    for name in columns:
        table.add_column(name, no_wrap=name in whole)
    return table


def facts() -> Table:
    """A table of names and values, without a header."""
    return Table.grid(padding=(0, 2, 0, 0))
