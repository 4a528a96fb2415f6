"""Paths of entries of zips: `ZIP:ENTRY`."""

import re
from typing import Final

_BETWEEN: Final = ":"
_SUFFIX: Final = ".zip"
_OF_ZIP: Final = re.compile(r"(.*?\.zip):(.*)", re.IGNORECASE | re.DOTALL)


def entry_path(path: str, entry: str) -> str:
    """The path of an entry of the zip at `path`."""
    return f"{path}{_BETWEEN}{entry}"


def split_entry(path: str) -> tuple[str, str | None]:
    """The path of a file, and the entry of it that is meant, if one is."""
    match = _OF_ZIP.fullmatch(path)
    return (match[1], match[2]) if match else (path, None)


def is_zip(path: str) -> bool:
    """Whether the name of a file says that it is a zip."""
    return path.lower().endswith(_SUFFIX)
