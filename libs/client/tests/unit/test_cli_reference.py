"""The reference page and the command line tell the same story."""

import re
from collections.abc import Iterator
from pathlib import Path

import typer

from candlelog_client.cli.app import app
from candlelog_client.cli.exits import Exit

PAGE = (Path(__file__).parents[4] / "docs/reference/cli.md").read_text()


def commands(command, words: tuple[str, ...]) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(words)
        return
    for name, child in children.items():
        yield from commands(child, (*words, name))


def test_the_page_lists_every_command_and_no_other():
    written = re.findall(r"^\| `(candlelog [a-z -]+?)(?: ID)?` \|", PAGE, re.MULTILINE)
    assert sorted(written) == sorted(commands(typer.main.get_command(app), ("candlelog",)))


def test_every_command_can_print_json():
    def options(command) -> Iterator[tuple[str, set[str]]]:
        for name, child in getattr(command, "commands", {}).items():
            yield from options(child)
            if not hasattr(child, "commands"):
                yield name, {flag for option in child.params for flag in option.opts}

    found = dict(options(typer.main.get_command(app)))
    assert [name for name, flags in found.items() if "--json" not in flags] == []


def test_the_page_lists_every_exit_code():
    written = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert written == {int(code) for code in Exit}
