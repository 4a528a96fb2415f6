"""The doctor judges what it finds and says what to do."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from candlelog_embedded.doctor import check_clock, check_disk

Usage = namedtuple("Usage", "free")


@pytest.mark.parametrize(
    ("error", "verdict", "found"),
    [
        (0.02, "pass", "0.020 s ahead of network time"),
        (-0.5, "pass", "0.500 s behind network time"),
        (-2.0, "warn", "2.000 s behind network time"),
        (90.0, "fail", "90.000 s ahead of network time"),
        (None, "warn", "no time server answered: not compared"),
    ],
)
def test_the_clock_is_judged_by_its_error(error: float | None, verdict: str, found: str):
    check = check_clock(error)
    assert (check.verdict, check.found) == (verdict, found)
    assert bool(check.advice) == (verdict != "pass")


@pytest.mark.parametrize(("gibibytes", "verdict"), [(50, "pass"), (3, "warn"), (0.5, "fail")])
def test_the_disk_is_judged_by_its_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gibibytes: float, verdict: str
):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(gibibytes * 1024**3))
    check = check_disk(tmp_path / "not" / "there" / "yet")
    assert check.verdict == verdict
    assert str(tmp_path) in check.found
