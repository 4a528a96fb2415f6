"""Processes of small Python programs, for a supervisor to look after."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from candlelog_embedded.process import ProcessSpec

BEHAVIOUR = """
import os, pathlib, signal, subprocess, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]

def note(what):
    with (folder / "events").open("a") as events:
        events.write(f"{name} {what}\\n")

def end(*_):
    note("ended")
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
"""
LIVES = "note('ready')\n(folder / f'{name}.ready').touch()\ntime.sleep(60)\n"
Program = Callable[..., ProcessSpec]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Makes the spec of a Python program; it is ready when it has made the file NAME.ready."""

    def make(name: str, behaviour: str = LIVES) -> ProcessSpec:
        ready = tmp_path / f"{name}.ready"
        return ProcessSpec(
            service=name,
            command=(sys.executable, "-c", BEHAVIOUR + behaviour, str(tmp_path), name),
            ready=ready.exists,
            prepare=lambda: ready.unlink(missing_ok=True),
        )

    return make


@pytest.fixture
def events(tmp_path: Path) -> Callable[[], list[str]]:
    """What the programs noted, oldest first."""
    return lambda: (tmp_path / "events").read_text().splitlines()
