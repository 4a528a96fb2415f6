"""Sections of a command: all of them, or those that were named."""

import argparse
from collections.abc import Collection


def add_sections(parser: argparse.ArgumentParser, names: Collection[str]) -> None:
    """Let the command line name some."""
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(names))


def chosen(
    parser: argparse.ArgumentParser, options: argparse.Namespace, names: Collection[str]
) -> list[str]:
    """Those that were named, or all; a name that is none ends the program."""
    if unknown := set(options.sections) - set(names):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return options.sections or list(names)
