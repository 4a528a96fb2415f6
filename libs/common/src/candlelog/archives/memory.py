"""An archive in memory, for tests: keeps the promises that a folder keeps."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256

from candlelog.archives.ports import BLOCK_BYTES
from candlelog.errors import Invalid


class MemoryArchive:
    """Files by path, as bytes; zips are not looked into. A version is the SHA-256 of the content
    and what stands in `stamps`, as when a file is written again."""

    def __init__(self, *, is_remote: bool = False) -> None:
        self.files: dict[str, bytes] = {}
        self.stamps: dict[str, str] = {}
        self._is_remote = is_remote

    @property
    def is_remote(self) -> bool:
        """As it was told."""
        return self._is_remote

    async def versions(self, paths: Sequence[str]) -> Mapping[str, str]:
        """See `candlelog.archives.ports.Archive`."""
        return {path: self._version(path) for path in paths if path in self.files}

    async def index(self) -> Mapping[str, str]:
        """See `candlelog.archives.ports.Archive`."""
        return {path: self._version(path) for path in self.files}

    @asynccontextmanager
    async def open(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See `candlelog.archives.ports.Archive`."""
        if path not in self.files:
            raise Invalid(f"{path} is not in the archive")
        yield _blocks(self.files[path])

    def _version(self, path: str) -> str:
        return sha256(self.files[path]).hexdigest() + self.stamps.get(path, "")


async def _blocks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), BLOCK_BYTES):
        yield content[start : start + BLOCK_BYTES]
