"""The log files of the processes."""

from pathlib import Path

_LINES_SHOWN = 15
_LARGE_BYTES = 32 * 1024 * 1024


def last_lines(log: Path) -> list[str]:
    """The end of a log file, for an error message."""
    if not log.exists():
        return []
    return log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:]


def set_aside_when_large(log: Path) -> None:
    """Begin a new file; the one before is kept under the name with `.1`."""
    if log.exists() and log.stat().st_size > _LARGE_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
