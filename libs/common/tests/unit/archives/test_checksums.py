"""What is told of the content of a file."""

from hashlib import sha256

import pytest

from candlelog.archives.checksums import checksum_file, content_sum, stated_sum
from candlelog.archives.memory import MemoryArchive

SUM = sha256(b"candles").hexdigest()
PATH = "a/B-1m-2024-02.zip"
BESIDE = f"{PATH}.CHECKSUM"


def archive(is_remote: bool = False, **files: bytes) -> MemoryArchive:
    there = MemoryArchive(is_remote=is_remote)
    there.files = {{"file": PATH, "beside": BESIDE}[name]: text for name, text in files.items()}
    return there


@pytest.mark.parametrize(
    ("line", "stated"),
    [
        (f"{SUM}  B.zip\n", SUM),
        (f"{SUM.upper()} *B.zip", SUM),
        (SUM, None),
        (f"{SUM[:-1]}  B.zip", None),
        ("<html>", None),
    ],
)
def test_a_checksum_is_a_line_of_sha256sum(line: str, stated: str | None):
    assert stated_sum(line.encode()) == stated


async def test_the_checksum_file_lies_beside():
    assert await checksum_file(archive(file=b"candles", beside=b"text"), PATH) == b"text"


async def test_there_may_be_no_checksum_file():
    assert await checksum_file(archive(file=b"candles"), PATH) is None


async def test_of_a_file_in_a_folder_the_content_counts_and_not_what_is_stated():
    assert await content_sum(archive(file=b"candles", beside=b"0" * 64 + b"  B.zip"), PATH) == SUM


async def test_of_a_remote_file_what_is_stated_counts():
    stated = archive(True, file=b"other", beside=f"{SUM}  B.zip".encode())
    assert await content_sum(stated, PATH) == SUM


async def test_a_remote_file_without_a_statement_cannot_be_told():
    assert await content_sum(archive(True, file=b"candles"), PATH) is None


async def test_a_file_that_is_gone_cannot_be_told():
    assert await content_sum(archive(), PATH) is None
