"""SHA-256 of files of an archive: what is said of it beside a file, and what it is."""

import asyncio
import hashlib
import re
from typing import Final

from candlelog.archives.ports import Archive
from candlelog.errors import Invalid
from candlelog.market.archives import checksum_path

_LONGEST: Final = 4096
_LINE: Final = re.compile(rb"([0-9a-fA-F]{64}) [ *][^\r\n]+\s*")


async def checksum_file(archive: Archive, path: str) -> bytes | None:
    """What the checksum file beside a file holds, None where there is none."""
    beside = checksum_path(path)
    if beside not in await archive.versions([beside]):
        return None
    async with archive.open(beside) as blocks:
        return b"".join([block async for block in blocks])[:_LONGEST]


def stated_sum(checksum: bytes) -> str | None:
    """The sum that a line of `sha256sum` states, None where it is none."""
    match = _LINE.fullmatch(checksum)
    return None if match is None else match[1].decode().lower()


async def content_sum(archive: Archive, path: str) -> str | None:
    """The sum of a file as it lies there; of one behind an address what is stated beside it, since
    to read it would cost as much as its candles. None where it cannot be told."""
    try:
        if archive.is_remote:
            checksum = await checksum_file(archive, path)
            return None if checksum is None else stated_sum(checksum)
        digest = hashlib.sha256()
        async with archive.open(path) as blocks:
            async for block in blocks:
                await asyncio.to_thread(digest.update, block)
    except Invalid:
        return None
    return digest.hexdigest()
