"""The files of a data directory."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from candlelog.errors import Misconfigured

ENVIRONMENT_FILE: Final = "candlelog.env"


class DataDirectory:
    """Where one embedded system keeps everything."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.logs = self.root / "logs"
        self.environment_file = self.root / ENVIRONMENT_FILE
        self.lock_file = self.root / "supervisor.lock"
        self.state_file = self.root / "supervisor.json"
        self.identity_file = self.root / "system.json"

    def make(self) -> None:
        """Have it there. Raises Misconfigured where it cannot be."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
        except OSError as error:
            raise Misconfigured(
                f"{self.root} cannot be a data directory ({error.strerror}): give another one"
            ) from error

    def log_of(self, name: str) -> Path:
        """The log file of a process."""
        return self.logs / f"{name}.log"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Readers see the old content or the new, never a part; only the owner may read it."""
    unfinished = path.with_name(f".{path.name}.new")
    opened = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(opened, "wb") as file:  # noqa: PTH123  (pathlib cannot open a descriptor)
        file.write(content.encode() if isinstance(content, str) else content)
    unfinished.replace(path)


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, atomically."""
    write_atomically(path, orjson.dumps(value, option=orjson.OPT_INDENT_2))


def environment_text(variables: Mapping[str, str]) -> str:
    """One `KEY=value` a line."""
    return "".join(f"{name}={value}\n" for name, value in variables.items())
