import os
from contextlib import suppress
from pathlib import Path

import pytest

from candlelog_client.cli.exporting import target


def test_of_two_exports_to_one_file_each_writes_its_own_until_it_is_whole(tmp_path: Path):
    to = tmp_path / "candles.csv"
    with target(to) as slow:
        slow.write(b"slow, ")
        with target(to) as quick:
            quick.write(b"quick")
        assert to.read_bytes() == b"quick"
        slow.write(b"but whole")
    assert to.read_bytes() == b"slow, but whole"


def test_an_export_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path):
    to = tmp_path / "candles.csv"
    to.write_bytes(b"before")
    with suppress(RuntimeError), target(to) as file:
        file.write(b"half")
        raise RuntimeError
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("candles.csv", b"before")
    ]


def test_a_link_is_followed(tmp_path: Path):
    link, real = tmp_path / "link.csv", tmp_path / "real.csv"
    real.write_bytes(b"before")
    link.symlink_to(real)
    with target(link) as file:
        file.write(b"after")
    assert (link.is_symlink(), real.read_bytes()) == (True, b"after")


def test_a_link_to_itself_is_overwritten(tmp_path: Path):
    link = tmp_path / "link.csv"
    link.symlink_to(link)
    with target(link) as file:
        file.write(b"after")
    assert link.read_bytes() == b"after"


def test_what_is_no_file_is_left_alone(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no file"), target(pipe):
        pytest.fail("it must not be opened")
    assert pipe.is_fifo()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    missing = tmp_path / "none"
    with pytest.raises(OSError, match=f"no folder {missing}"), target(missing / "x.csv"):
        pytest.fail("there is nowhere to write")
