"""An archive in a folder."""

import asyncio
import os
import zipfile
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

from candlelog.archives.entries import entry_path, is_zip, split_entry
from candlelog.archives.ports import BLOCK_BYTES
from candlelog.errors import Invalid, Unavailable

_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What reading a zip raises that is cut off, wrong, encrypted or packed in an unknown way."""


class FolderArchive:
    """Files below `root`: see `candlelog.archives.ports.Archive`. Reads in threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._entries: dict[tuple[str, str], Mapping[str, str]] = {}

    @property
    def is_remote(self) -> bool:
        """It is not."""
        return False

    async def versions(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Looks once into each folder that is named, however many of its files are."""
        return await asyncio.to_thread(self._versions, paths)

    async def index(self) -> Mapping[str, str]:
        """Walks through all folders; links to folders are not followed. Of a zip that was looked
        into before only its version is looked at."""
        return await asyncio.to_thread(self._index)

    @asynccontextmanager
    async def open(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """An entry of a zip is unpacked as it is read."""
        file = await asyncio.to_thread(self._opened, path)
        try:
            yield _blocks(file, path)
        finally:
            await asyncio.to_thread(file.close)

    def _versions(self, paths: Sequence[str]) -> dict[str, str]:
        self._check_there()
        places = [(path, *split_entry(path)) for path in paths]
        there = self._files({str(PurePosixPath(file).parent) for _, file, _ in places})
        found: dict[str, str] = {}
        for path, file, entry in places:
            version = there.get(file)
            if version is not None and entry is not None:
                version = self._in_zip(file, version).get(path)
            if version is not None:
                found[path] = version
        return found

    def _files(self, folders: set[str]) -> dict[str, str]:
        """The versions of all files that lie right in these folders, by path."""
        found: dict[str, str] = {}
        for folder in folders:
            with _outages(folder):
                try:
                    entries = list(os.scandir(self._at(folder)))
                except (FileNotFoundError, NotADirectoryError):
                    continue
                for entry in entries:
                    version = _version(entry)
                    if version is not None:
                        found[str(PurePosixPath(folder, entry.name))] = version
        return found

    def _index(self) -> dict[str, str]:
        self._check_there()
        with _outages("."):
            folders = {
                Path(folder).relative_to(self._root).as_posix()
                for folder, _, _ in os.walk(self._root, onerror=_raise)
            }
        found: dict[str, str] = {}
        for path, version in self._files(folders).items():
            found |= (is_zip(path) and self._in_zip(path, version)) or {path: version}
        return found

    def _in_zip(self, path: str, version: str) -> Mapping[str, str]:
        """The versions of the entries of a zip; none where it cannot be read."""
        known = self._entries.get((path, version))
        if known is None:
            try:
                with _outages(path), zipfile.ZipFile(self._at(path)) as archive:
                    known = {
                        entry_path(path, info.filename): f"{info.file_size}-{info.CRC:08x}"
                        for info in archive.infolist()
                        if not info.is_dir()
                    }
            except Invalid:
                known = {}
            self._entries[path, version] = known
        return known

    def _opened(self, path: str) -> IO[bytes]:
        file, entry = split_entry(path)
        with _outages(path):
            if entry is None:
                return self._at(file).open("rb")
            with zipfile.ZipFile(self._at(file)) as archive:
                return archive.open(entry)  # keeps the zip open until it is closed itself

    def _at(self, path: str) -> Path:
        if ".." in PurePosixPath(path).parts or PurePosixPath(path).is_absolute():
            raise Invalid(f"{path!r} leads out of the archive")
        return self._root / path

    def _check_there(self) -> None:
        if not self._root.is_dir():
            raise Unavailable(f"the archive {self._root} is no folder that is there")


def _version(entry: "os.DirEntry[str]") -> str | None:
    """The version of a file; None of what is none, or is gone already."""
    try:
        if not entry.is_file():
            return None
        status = entry.stat()
    except FileNotFoundError:
        return None
    return f"{status.st_size}-{status.st_mtime_ns}"


async def _blocks(file: IO[bytes], path: str) -> AsyncIterator[bytes]:
    while block := await asyncio.to_thread(_read, file, path):
        yield block


def _read(file: IO[bytes], path: str) -> bytes:
    with _outages(path):
        return file.read(BLOCK_BYTES)


@contextmanager
def _outages(path: str) -> Generator[None]:
    """What a file system and a zip raise, as errors of ours."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, KeyError) as error:
        raise Invalid(f"{path} is not in the archive") from error
    except _DAMAGE as error:
        raise Invalid(f"{path}: the zip is damaged ({error}); download it again") from error
    except OSError as error:
        raise Unavailable(f"{path} of the archive cannot be read: {error}") from error


def _raise(error: OSError) -> None:
    raise error
