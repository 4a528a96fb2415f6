"""What goes where: results on stdout, everything else on stderr."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer
from rich.console import Console, RenderableType

from candlelog_client.cli.exits import Exit

if TYPE_CHECKING:
    from candlelog_client.results import Result


_WIDTH_OF_A_PIPE: Final = 200


def stdout() -> Console:
    """The console for results; a pipe is wide enough that nothing is cut."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH_OF_A_PIPE
    return console


def stderr() -> Console:
    """The console for progress and messages."""
    return Console(stderr=True)


def show(result: RenderableType) -> None:
    """Print a result for a person."""
    stdout().print(result)


def show_line(line: str) -> None:
    """Print one line of result at once, as it is."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def show_json(value: Any) -> None:
    """Print one JSON document and a line end on stdout."""
    import orjson  # noqa: PLC0415 - only when asked for: `--help` stays quick

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def show_json_line(value: Any) -> None:
    """Print one JSON document on one line, at once."""
    import orjson  # noqa: PLC0415 - only when asked for: `--help` stays quick

    sys.stdout.write(orjson.dumps(value).decode() + "\n")
    sys.stdout.flush()


def plain(results: "Sequence[Result]") -> list[dict[str, Any]]:
    """Results as JSON values, with every field."""
    return [result.model_dump(mode="json") for result in results]


def say(message: str) -> None:
    """One line on stderr."""
    stderr().print(message, markup=False, highlight=False, soft_wrap=True)


def fail(message: str, code: Exit = Exit.FAILURE) -> NoReturn:
    """Say what is wrong in one line on stderr and end with `code`."""
    say(f"candlelog: {message}")
    raise typer.Exit(code)
