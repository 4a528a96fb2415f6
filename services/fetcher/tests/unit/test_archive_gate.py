"""Which files of an archive are opened, and what is said of the others."""

import hashlib
import struct
import zipfile
from pathlib import Path

import pytest

from fetcher.archives.gate import FileRefused, opened

TEXT = b"1706745600,1.0,2.0,0.5,1.5,10.0,4\n" * 200
_CENTRAL = b"PK\x01\x02"


def packed(path: Path, *names: str, text: bytes = TEXT, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(name, text)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "FILUSDT-1m-2024-02.zip"


@pytest.fixture
def good(path: Path) -> Path:
    return packed(path, "FILUSDT-1m-2024-02.csv")


def altered(path: Path, offset: int, form: str, value: int) -> Path:
    """The zip with another value in its list of entries, so far from where that begins."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(_CENTRAL) + offset, value)
    path.write_bytes(content)
    return path


def code(path: Path, **kwargs) -> str:
    """Why a file is not opened. Each reason names the file."""
    with pytest.raises(FileRefused) as refused, opened(path, **kwargs):
        pass
    assert str(refused.value).startswith(f"{path.name}: ")
    return refused.value.code


def sum_of(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).hexdigest().encode()


def test_the_only_entry_of_a_zip_is_its_text(good: Path):
    with opened(good) as content:
        assert content.text.read() == TEXT


def test_a_file_is_known_by_the_hash_of_its_bytes(good: Path):
    with opened(good) as content:
        assert content.sha256.encode() == sum_of(good)
        assert content.size == good.stat().st_size


def test_a_plain_file_is_let_through(tmp_path: Path):
    path = tmp_path / "XBTUSD_60.csv"
    path.write_bytes(TEXT)
    with opened(path) as content:
        assert (content.text.read(), content.size) == (TEXT, len(TEXT))


@pytest.mark.parametrize("form", [b"%s  FILUSDT-1m-2024-02.zip\n", b"%s *F.zip", b"%s  F.zip\r\n"])
def test_a_file_whose_checksum_holds_is_opened(good: Path, form: bytes):
    with opened(good, checksum=form % sum_of(good).upper()) as content:
        assert content.text.read() == TEXT


def test_a_file_with_another_checksum_is_refused(good: Path):
    assert code(good, checksum=b"%s  F.zip\n" % (b"0" * 64)) == "checksum_mismatch"


@pytest.mark.parametrize("checksum", [b"", b"<html>not found</html>", b"0" * 64, b"12ab  F.zip\n"])
def test_a_checksum_that_is_none_is_told_apart_from_a_wrong_one(good: Path, checksum: bytes):
    assert code(good, checksum=checksum) == "checksum_malformed"


@pytest.mark.parametrize("left", [0.5, 0.99])
def test_a_truncated_zip_is_refused(good: Path, left: float):
    content = good.read_bytes()
    good.write_bytes(content[: int(len(content) * left)])
    assert code(good) == "zip_damaged"


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", TEXT])
def test_what_is_no_zip_is_refused(path: Path, content: bytes):
    path.write_bytes(content)
    assert code(path) == "not_a_zip"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_with_a_wrong_byte_is_refused_before_any_text_is_read(path: Path, method: int):
    content = bytearray(packed(path, "a.csv", method=method).read_bytes())
    content[45] ^= 0x55
    path.write_bytes(content)
    assert code(path) == "zip_damaged"


def test_a_list_of_entries_that_is_no_text_is_damage(path: Path):
    content = packed(path, "ä.csv").read_bytes()
    path.write_bytes(content.replace("ä".encode(), b"\xff\xff"))
    assert code(path) == "zip_damaged"


@pytest.mark.parametrize("names", [(), ("a.csv", "b.csv"), ("folder/",)])
def test_a_zip_with_other_than_one_entry_is_refused(path: Path, names: tuple[str, ...]):
    assert code(packed(path, *names)) == "entry_count"


def test_a_folder_in_a_zip_is_no_entry(path: Path):
    with opened(packed(path, "folder/", "folder/a.csv")) as content:
        assert content.text.read() == TEXT


@pytest.mark.parametrize(
    "name", ["../a.csv", "a/../../b.csv", "/etc/a.csv", "..\\a.csv", "C:\\a.csv", "\\\\host\\a.csv"]
)
def test_an_entry_that_leads_elsewhere_is_refused(path: Path, name: str):
    assert code(packed(path, name)) == "entry_name"


def test_an_encrypted_entry_is_refused(good: Path):
    assert code(altered(good, 8, "<H", 1)) == "entry_encrypted"


def test_an_entry_packed_so_that_its_size_cannot_be_bounded_is_refused(path: Path):
    assert code(packed(path, "a.csv", method=zipfile.ZIP_BZIP2)) == "entry_compression"


def test_an_entry_that_unpacks_to_more_than_is_allowed_is_refused(good: Path):
    assert code(good, most_bytes=len(TEXT) - 1) == "too_large"


def test_a_bomb_is_refused_for_how_much_it_grows(path: Path):
    assert code(packed(path, "a.csv", text=bytes(65 * 1024**2))) == "too_large"


def test_a_zip_that_says_to_hold_ten_gigabytes_is_refused(good: Path):
    assert code(altered(good, 24, "<I", 2**32 - 2)) == "too_large"


def test_a_bomb_that_says_to_be_small_is_unpacked_as_far_as_it_says_and_refused(path: Path):
    packed(path, "a.csv", text=bytes(1024**2))
    assert code(altered(path, 24, "<I", 1000)) == "zip_damaged"


def test_a_file_of_a_zip_of_many_is_known_by_the_hash_of_its_own_text(tmp_path: Path):
    path = packed(tmp_path / "Kraken_OHLCVT.zip", "q4/XBTUSD_60.csv", "q4/XBTUSD_1.csv")
    with opened(path, entry="q4/XBTUSD_60.csv") as content:
        assert content.text.read() == TEXT
        assert (content.sha256, content.size) == (hashlib.sha256(TEXT).hexdigest(), len(TEXT))


def test_a_file_that_a_zip_no_longer_holds_is_missed(good: Path):
    assert code(good, entry="XBTUSD_60.csv") == "entry_missing"


def test_a_file_that_is_replaced_meanwhile_is_read_as_it_was(good: Path, tmp_path: Path):
    with opened(good) as content:
        packed(tmp_path / "new.zip", "new.csv", text=b"new\n").replace(good)
        assert content.text.read() == TEXT
