"""The log files of the processes."""

from pathlib import Path

import pytest

from candlelog_embedded.supervisor import logs
from candlelog_embedded.supervisor.logs import last_lines, set_aside_when_large


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


def test_the_end_of_a_log_is_its_last_lines(log: Path):
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert last_lines(log) == [f"line {number}" for number in range(85, 100)]


def test_a_short_log_is_told_in_full(log: Path):
    log.write_text("one\ntwo\n")
    assert last_lines(log) == ["one", "two"]


def test_a_process_that_wrote_nothing_has_no_last_lines(log: Path):
    assert last_lines(log) == []


def test_of_a_log_without_end_only_the_end_is_read(log: Path):
    with log.open("wb") as file:
        file.truncate(2**40)  # one that no memory holds
        file.seek(0, 2)
        file.write("\nit ends: äöü\n".encode())
    *_, last = last_lines(log)
    assert last == "it ends: äöü"
    assert sum(map(len, last_lines(log))) < 100_000


def test_a_log_is_set_aside_when_it_is_large(log: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logs, "_LARGE_BYTES", 10)
    log.write_text("short")
    set_aside_when_large(log)
    assert log.read_text() == "short"
    log.write_text("longer than that")
    set_aside_when_large(log)
    assert not log.exists()
    assert log.with_name("service.log.1").read_text() == "longer than that"
