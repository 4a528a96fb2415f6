"""What a broker needs: made once, its jars checked, and a plain word without a network."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from candlelog_embedded.broker import BrokerFailedError, broker
from candlelog_embedded.install import main
from candlelog_embedded.jars import cache_directory, locked_jars, repository
from candlelog_embedded.java import archive_classes, class_archive

pytestmark = pytest.mark.connected


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A cache of its own with the jars of this machine in it, and the archive of their classes."""
    shared = cache_directory()
    shutil.copytree(
        repository(shared),
        repository(tmp_path / "candlelog"),
        copy_function=os.symlink,
        ignore=shutil.ignore_patterns("*.lastUpdated"),
    )
    mine = tmp_path / "candlelog"
    class_archive(mine).parent.symlink_to(class_archive(shared).parent)
    return tmp_path


def install(home: Path) -> subprocess.CompletedProcess[str]:
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    return subprocess.run(
        (sys.executable, "-m", "candlelog_embedded.install"),
        env=os.environ | {"XDG_CACHE_HOME": str(home)} | nowhere,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_fetched_and_nothing_formatted_twice(home: Path):
    written = []
    for _ in range(2):
        done = install(home)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        (identity,) = home.glob("candlelog/formatted-*/meta.properties")
        archive = class_archive(home / "candlelog")
        written.append((identity.stat().st_mtime_ns, archive.stat().st_mtime_ns))
    assert written[0] == written[1]


def log_of(directory: Path) -> Path:
    """The log of a broker that is about to start for the first time, or again."""
    broker(directory, port=1, controller_port=2).prepare()
    return directory / "log"


def test_every_system_has_a_cluster_id_of_its_own(tmp_path: Path):
    ids = {
        line
        for name in ("one", "other")
        for line in (log_of(tmp_path / name) / "meta.properties").read_text().splitlines()
        if line.startswith("cluster.id=")
    }
    assert len(ids) == 2


def test_java_takes_the_archive_of_the_classes_of_the_broker(tmp_path: Path):
    java, *options, _, _ = broker(tmp_path, port=1, controller_port=2).command
    tool = ("kafka.tools.StorageTool", "random-uuid")
    # With this option it ends where it would else only start more slowly.
    done = subprocess.run(
        (java, "-Xshare:on", *options, *tool), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_an_archive_of_other_jars_is_made_anew_once(home: Path):
    cache = home / "candlelog"
    jar = locked_jars()[0].path(cache)
    before = class_archive(cache)
    jar.write_bytes(jar.unlink() or b"another")
    lives: list[Path] = []

    def live(folder: Path, options: tuple[str, ...]) -> None:
        lives.append(folder)
        (folder / "classes.jsa").write_text("of these jars")

    archive_classes(cache, live)
    archive_classes(cache, live)
    assert len(lives) == 1
    assert class_archive(cache).read_text() == "of these jars"
    assert class_archive(cache) != before


def test_a_broker_that_cannot_be_tried_leaves_no_archive(home: Path):
    cache = home / "candlelog"
    class_archive(cache).parent.unlink()

    def live(folder: Path, options: tuple[str, ...]) -> None:
        raise BrokerFailedError("no port")

    with pytest.raises(BrokerFailedError):
        archive_classes(cache, live)
    assert not class_archive(cache).exists()


def test_without_an_archive_what_is_installed_will_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(cache: Path, generator: Random) -> None:
        raise BrokerFailedError("no port")

    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setattr("candlelog_embedded.install.hasten_starts", fail)
    assert main([]) == 0
    assert "start more slowly" in capsys.readouterr().err


def test_a_log_that_was_not_copied_to_its_end_is_copied_again(tmp_path: Path):
    log = log_of(tmp_path)
    (log / "meta.properties").unlink()
    (bootstrap,) = log.glob("__cluster_metadata-0/*.checkpoint")
    assert bootstrap.stat().st_mode & stat.S_IWUSR, "other accounts than root could not copy it"
    assert (log_of(tmp_path) / "meta.properties").exists()


def test_a_damaged_jar_is_fetched_again_and_without_a_network_the_message_says_what_to_do(
    home: Path,
):
    jar = locked_jars()[0]
    path = jar.path(home / "candlelog")
    path.unlink()
    path.write_bytes(b"cut off in the mid")
    done = install(home)
    assert done.returncode == 1
    assert jar.coordinate in done.stderr
    assert "connect this machine to the network and run `make install` again" in done.stderr
    assert not path.exists()
