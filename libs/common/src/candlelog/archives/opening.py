"""An archive by where it lies."""

from pathlib import Path

from candlelog.archives.folder import FolderArchive
from candlelog.archives.http import HttpArchive
from candlelog.archives.ports import Archive


def open_archive(root: str) -> Archive:
    """The archive at an address that begins with `http://` or `https://`, or else in a folder.

    Nothing is read yet.
    """
    if root.startswith(("http://", "https://")):
        return HttpArchive(root)
    return FolderArchive(Path(root))
