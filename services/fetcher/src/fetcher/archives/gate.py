"""The gate: a file of an archive is opened once it is known to be whole.

No row is read of a file that is damaged in its middle, so all of it is read once before. It stays
open meanwhile: whoever puts another file in its place changes nothing of what is read.
"""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO, Final

from candlelog.archives.checksums import stated_sum
from fetcher.domain.failures import Permanent

MOST_BYTES: Final = 2 * 1024**3
"""An entry that unpacks to more is not read."""
_HONEST_BYTES: Final = 64 * 1024**2
_MOST_RATIO: Final = 200
"""Candles shrink to a third; no text of candles to a two-hundredth, but zeros to a thousandth."""
_AT_ONCE: Final = 1024**2
_LOCAL_HEADER: Final = b"PK\x03\x04"
_ENCRYPTED: Final = 0x1
_UNPACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What is unpacked in bounded memory; bzip2 and LZMA are not."""
_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, UnicodeDecodeError),
)


class FileRefused(Permanent):
    """A file that is not read. The text says which, what is wrong with it and what to do."""


@dataclass(frozen=True, slots=True)
class Content:
    """Text of candles, from its begin on. `sha256` and `size` are those of the file as it lies
    there, or of the text itself where that is one entry of a zip of many.
    """

    name: str
    sha256: str
    size: int
    text: IO[bytes]


@contextmanager
def opened(
    path: Path,
    *,
    entry: str | None = None,
    checksum: bytes | None = None,
    most_bytes: int = MOST_BYTES,
) -> Generator[Content]:
    """The text of a csv, of the only entry of a zip, or of the named `entry` of a zip of many.

    `checksum` is what the file beside it holds, in the form of `sha256sum`. Raises `FileRefused`;
    also later, when the text is read, if the file was written to meanwhile.
    """
    with path.open("rb") as file, _damage_named(path.name):
        sha256, size = _measured(file) if entry is None else ("", 0)
        if checksum is not None:
            _check_sum(path.name, sha256, checksum)
        if path.suffix.lower() != ".zip":
            yield Content(path.name, sha256, size, file)
            return
        with _archive(path.name, file) as archive:
            info = _chosen(path.name, archive, entry)
            _check_entry(path.name, info, most_bytes)
            with archive.open(info) as text:
                of_text = _measured(text)
                if entry is None:
                    yield Content(path.name, sha256, size, text)
                else:
                    yield Content(f"{path.name}:{entry}", *of_text, text)


def _measured(file: IO[bytes]) -> tuple[str, int]:
    """SHA-256 and length of a file, which is then at its begin again. Of an entry of a zip no more
    is unpacked than it was said to hold, whatever is in it; that its CRC is another one raises."""
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_AT_ONCE):
        digest.update(piece)
        size += len(piece)
    file.seek(0)
    return digest.hexdigest(), size


def _check_sum(name: str, sha256: str, checksum: bytes) -> None:
    stated = stated_sum(checksum)
    if stated is None:
        raise FileRefused(
            "checksum_malformed",
            f"{name}: its checksum file holds {checksum[:80]!r}, which is no line of sha256sum; "
            "download the checksum file again",
        )
    if stated != sha256:
        raise FileRefused(
            "checksum_mismatch",
            f"{name}: its SHA-256 is {sha256}, its checksum file says {stated}; "
            "download both again",
        )


@contextmanager
def _damage_named(name: str) -> Generator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise FileRefused(
            "zip_damaged",
            f"{name}: the zip is damaged ({str(error) or 'it ends too soon'}); download it again",
        ) from error


def _archive(name: str, file: IO[bytes]) -> zipfile.ZipFile:
    begin = file.read(len(_LOCAL_HEADER))
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError) as error:
        if begin == _LOCAL_HEADER:
            raise zipfile.BadZipFile("its list of entries is cut off or wrong") from error
        raise FileRefused(
            "not_a_zip", f"{name}: begins with {begin!r} and is no zip; download it again"
        ) from error


def _chosen(name: str, archive: zipfile.ZipFile, entry: str | None) -> zipfile.ZipInfo:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if entry is not None:
        named = [info for info in infos if info.filename == entry]
        if not named:
            raise FileRefused(
                "entry_missing",
                f"{name}: holds no {entry!r}; it was replaced, so look through the archive again",
            )
        return named[-1]
    if len(infos) != 1:
        found = ", ".join(repr(info.filename[:100]) for info in infos[:5]) or "none"
        raise FileRefused(
            "entry_count",
            f"{name}: one entry is expected, and {len(infos)} were found ({found}); "
            "download it again, or put each into a zip of its own",
        )
    return infos[0]


def _check_entry(name: str, info: zipfile.ZipInfo, most_bytes: int) -> None:
    """Raise `FileRefused` for an entry that cannot be what it should be, before any of it is
    unpacked."""
    entry = info.filename
    if _leads_away(entry):
        raise FileRefused(
            "entry_name",
            f"{name}: its entry {entry[:100]!r} leads out of the folder; do not trust its origin",
        )
    if info.flag_bits & _ENCRYPTED:
        raise FileRefused(
            "entry_encrypted",
            f"{name}: its entry {entry!r} is encrypted; pack it without a password",
        )
    if info.compress_type not in _UNPACKED:
        raise FileRefused(
            "entry_compression",
            f"{name}: its entry {entry!r} is compressed by method {info.compress_type}; "
            "pack it with deflate",
        )
    most = min(most_bytes, max(_HONEST_BYTES, _MOST_RATIO * info.compress_size))
    if info.file_size > most:
        raise FileRefused(
            "too_large",
            f"{name}: its entry {entry!r} unpacks from {info.compress_size:,} bytes to "
            f"{info.file_size:,}, and {most:,} are the most that is read; "
            "split the file, if it is no bomb",
        )


def _leads_away(entry: str) -> bool:
    path = PureWindowsPath(entry)  # which knows both kinds of slashes
    return ".." in path.parts or bool(path.anchor)
