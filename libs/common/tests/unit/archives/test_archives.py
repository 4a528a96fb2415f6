"""Which files an archive has, and what is in them; in a folder and in memory."""

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from candlelog.archives.entries import entry_path, is_zip, split_entry
from candlelog.archives.folder import FolderArchive
from candlelog.archives.http import HttpArchive
from candlelog.archives.memory import MemoryArchive
from candlelog.archives.opening import open_archive
from candlelog.archives.ports import BLOCK_BYTES, Archive
from candlelog.errors import Invalid, Unavailable

Make = Callable[[Mapping[str, bytes]], Archive]
MONTH = "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip"


def in_memory(files: Mapping[str, bytes]) -> Archive:
    archive = MemoryArchive()
    archive.files.update(files)
    return archive


@pytest.fixture
def in_folder(tmp_path: Path) -> Make:
    def make(files: Mapping[str, bytes]) -> Archive:
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        return FolderArchive(tmp_path)

    return make


@pytest.fixture(params=["folder", "memory"])
def make(request: pytest.FixtureRequest, in_folder: Make) -> Make:
    return in_folder if request.param == "folder" else in_memory


def zip_of(path: Path, **entries: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


async def read(archive: Archive, path: str) -> list[bytes]:
    async with archive.open(path) as blocks:
        return [block async for block in blocks]


async def test_those_files_have_versions_that_there_are(make: Make):
    archive = make({MONTH: b"a", "x.csv": b"b"})
    assert set(await archive.versions([MONTH, "x.csv", "spot", "spot/y.csv"])) == {MONTH, "x.csv"}


async def test_a_version_changes_with_the_file(make: Make):
    before = await make({"x.csv": b"1"}).versions(["x.csv"])
    assert await make({"x.csv": b"12"}).versions(["x.csv"]) != before


async def test_a_version_stays_while_the_file_does(make: Make):
    archive = make({"x.csv": b"1"})
    assert await archive.versions(["x.csv"]) == await archive.versions(["x.csv"])


async def test_all_files_are_listed_at_any_depth_with_their_versions(make: Make):
    archive = make({"a/b/c/XBTUSD_60.csv": b"1", "XBTUSD_1.csv": b"2"})
    listed = await archive.index()
    assert set(listed) == {"a/b/c/XBTUSD_60.csv", "XBTUSD_1.csv"}
    assert listed == await archive.versions(list(listed))


async def test_a_file_comes_in_blocks(make: Make):
    content = os.urandom(2 * BLOCK_BYTES + 5)
    found = await read(make({"x.csv": content}), "x.csv")
    assert b"".join(found) == content
    assert max(map(len, found)) <= BLOCK_BYTES


async def test_a_file_that_is_not_there_cannot_be_opened(make: Make):
    with pytest.raises(Invalid, match=r"x\.csv is not in the archive"):
        await read(make({}), "x.csv")


async def test_a_file_that_was_touched_has_another_version(in_folder: Make, tmp_path: Path):
    archive = in_folder({"x.csv": b"1"})
    before = await archive.versions(["x.csv"])
    os.utime(tmp_path / "x.csv", (1, 1))
    assert await archive.versions(["x.csv"]) != before


async def test_entries_of_a_zip_stand_in_its_place(tmp_path: Path):
    zip_of(tmp_path / "all.zip", **{"XBTUSD_60.csv": b"1", "deep/XBTUSD_1.csv": b"2"})
    archive = FolderArchive(tmp_path)
    listed = await archive.index()
    assert set(listed) == {"all.zip:XBTUSD_60.csv", "all.zip:deep/XBTUSD_1.csv"}
    assert listed == await archive.versions([*listed, "all.zip:other.csv"])


async def test_an_entry_has_another_version_only_if_it_is_another_one(tmp_path: Path):
    archive = FolderArchive(tmp_path)
    zip_of(tmp_path / "all.zip", same=b"1", other=b"2")
    before = await archive.index()
    zip_of(tmp_path / "all.zip", same=b"1", other=b"3")
    after = await archive.index()
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {"all.zip:other"}


async def test_an_entry_is_read_unpacked(tmp_path: Path):
    content = b"1381095000,1,1,1,1,1,1\n" * 100_000
    zip_of(tmp_path / "all.zip", x=content)
    assert b"".join(await read(FolderArchive(tmp_path), "all.zip:x")) == content


async def test_a_zip_that_is_cut_off_is_listed_itself(tmp_path: Path):
    zip_of(tmp_path / "all.zip", x=b"1" * 1000)
    whole = (tmp_path / "all.zip").read_bytes()
    (tmp_path / "all.zip").write_bytes(whole[:-30])
    archive = FolderArchive(tmp_path)
    assert set(await archive.index()) == {"all.zip"}
    with pytest.raises(Invalid, match=r"all\.zip:x: the zip is damaged .*; download it again"):
        await read(archive, "all.zip:x")


async def test_damage_in_the_middle_of_an_entry_is_seen_as_it_is_read(tmp_path: Path):
    zip_of(tmp_path / "all.zip", x=os.urandom(10_000))
    content = bytearray((tmp_path / "all.zip").read_bytes())
    content[5000] ^= 1
    (tmp_path / "all.zip").write_bytes(content)
    with pytest.raises(Invalid, match="the zip is damaged"):
        await read(FolderArchive(tmp_path), "all.zip:x")


async def test_a_path_does_not_lead_out_of_the_folder(tmp_path: Path):
    (tmp_path / "secret").write_bytes(b"1")
    archive = FolderArchive(tmp_path / "archive")
    (tmp_path / "archive").mkdir()
    for path in ("../secret", str(tmp_path / "secret")):
        with pytest.raises(Invalid, match="leads out"):
            await read(archive, path)


async def test_a_folder_that_is_away_is_an_outage_and_not_empty(tmp_path: Path):
    archive = FolderArchive(tmp_path / "unplugged")
    with pytest.raises(Unavailable, match="no folder that is there"):
        await archive.versions(["x.csv"])
    with pytest.raises(Unavailable, match="no folder that is there"):
        await archive.index()


def test_an_entry_has_a_path_of_its_own():
    path = entry_path("a/all.zip", "b/XBTUSD_60.csv")
    assert split_entry(path) == ("a/all.zip", "b/XBTUSD_60.csv")
    assert split_entry("a/all.zip") == ("a/all.zip", None)
    assert (is_zip("a/all.ZIP"), is_zip(path)) == (True, False)


@pytest.mark.parametrize(
    ("root", "kind"),
    [
        ("http://127.0.0.1:9800/archive", HttpArchive),
        ("https://data.example/data", HttpArchive),
        ("/srv/archive", FolderArchive),
        ("archive", FolderArchive),
    ],
)
def test_an_archive_is_opened_by_where_it_lies(root: str, kind: type):
    assert isinstance(open_archive(root), kind)


@pytest.mark.parametrize("name", ["all.zip", "ALL.ZIP", "a:b/all.zip"])
def test_an_entry_is_told_from_its_zip(name: str):
    assert split_entry(entry_path(name, "deep/XBTUSD_60.csv")) == (name, "deep/XBTUSD_60.csv")
