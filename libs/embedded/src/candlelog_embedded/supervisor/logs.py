"""The log files of the processes."""

import os
from pathlib import Path

_LINES_SHOWN = 15
_BYTES_SHOWN = 8 * 1024
_LARGE_BYTES = 32 * 1024 * 1024


def last_lines(log: Path) -> list[str]:
    """The end of a log file, for an error message."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(-min(_BYTES_SHOWN, log.stat().st_size), os.SEEK_END)
        return file.read().decode(errors="replace").splitlines()[-_LINES_SHOWN:]


def set_aside_when_large(log: Path) -> None:
    """Begin a new file; the one before is kept under the name with `.1`."""
    if log.exists() and log.stat().st_size > _LARGE_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
