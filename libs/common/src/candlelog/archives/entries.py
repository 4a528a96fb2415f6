"""Paths of entries of zips: `ZIP:ENTRY`."""

from typing import Final

_BETWEEN: Final = ":"
_SUFFIX: Final = ".zip"


def entry_path(path: str, entry: str) -> str:
    """The path of an entry of the zip at `path`."""
    return f"{path}{_BETWEEN}{entry}"


def split_entry(path: str) -> tuple[str, str | None]:
    """The path of a file, and the entry of it that is meant, if one is."""
    file, between, entry = path.partition(_SUFFIX + _BETWEEN)
    return (file + _SUFFIX, entry) if between else (path, None)


def is_zip(path: str) -> bool:
    """Whether the name of a file says that it is a zip."""
    return path.lower().endswith(_SUFFIX)
