"""What is asked of an archive, wherever it lies."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

BLOCK_BYTES: Final = 1024**2
"""What is read at once, at most."""


class Archive(Protocol):
    """Files by their paths, which are relative to where it lies; `ZIP:ENTRY` is an entry of a zip
    (`candlelog.archives.entries`).

    A version is text that changes when the file does. Every method raises `Unavailable` when the
    archive cannot be read now.
    """

    @property
    def is_remote(self) -> bool:
        """Whether each path that is asked for costs a request."""
        ...

    async def versions(self, paths: Sequence[str]) -> Mapping[str, str]:
        """The versions of those of the files that there are."""
        ...

    async def index(self) -> Mapping[str, str]:
        """The versions of all files, at any depth, but of zips those of their entries; a zip that
        cannot be read, or is empty, is listed itself.

        Raises `Invalid` where files cannot be listed.
        """
        ...

    def open(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """What is in a file, as blocks of at most `BLOCK_BYTES`. Raises `Invalid` where there is
        no such file, or where it is damaged; also later, when blocks are read.
        """
        ...
