"""One supervisor a data directory, and what it leaves behind when it is killed itself."""

import stat
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest
from tests.processes import gone

from candlelog.errors import Misconfigured
from candlelog_embedded.supervisor.directory import DataDirectory
from candlelog_embedded.supervisor.identity import identify
from candlelog_embedded.supervisor.state import (
    Running,
    SystemReport,
    running,
    this_process,
    write_report,
)
from candlelog_embedded.system import AlreadyRunningError, down, held, ps

SYSTEM = """
import asyncio, sys
from pathlib import Path
from candlelog_embedded.process import ProcessSpec
from candlelog_embedded.supervisor.directory import DataDirectory
from candlelog_embedded.supervisor.supervisor import Stage
from candlelog_embedded.system import Ready, held, serve

directory = DataDirectory(Path(sys.argv[1]))
command = (sys.executable, "-c", "import time; time.sleep(60)")
sleeper = ProcessSpec("sleeper", command, lambda: True)
told = Ready(directory.root, True, {"CANDLELOG_API_URL": "http://127.0.0.1:1", "A": "1"})
with held(directory):
    stages = [Stage((sleeper,), 5)]
    asyncio.run(serve(directory, stages, told, ready=lambda _: None, note=print))
"""


@pytest.fixture
def system(tmp_path: Path) -> Generator[subprocess.Popen[bytes]]:
    """A supervisor of one process, ready."""
    process = subprocess.Popen([sys.executable, "-c", SYSTEM, str(tmp_path)])
    try:
        wait_for((tmp_path / "candlelog.env").exists)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(holds) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def child_of(process: subprocess.Popen[bytes]) -> int:
    (child,) = psutil.Process(process.pid).children()
    return child.pid


def test_the_environment_is_written_for_the_owner_alone_and_goes_away(
    system: subprocess.Popen[bytes], tmp_path: Path
):
    file = tmp_path / "candlelog.env"
    assert file.read_text() == "CANDLELOG_API_URL=http://127.0.0.1:1\nA=1\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    system.terminate()
    system.wait(60)
    assert not file.exists()


def test_a_second_start_on_a_live_directory_is_refused(
    system: subprocess.Popen[bytes], tmp_path: Path
):
    with (
        pytest.raises(AlreadyRunningError, match="already; `candlelog down` stops it"),
        held(DataDirectory(tmp_path)),
    ):
        pytest.fail("two supervisors")
    assert (tmp_path / "candlelog.env").exists()


def test_the_processes_are_listed_with_their_own_pids(
    system: subprocess.Popen[bytes], tmp_path: Path
):
    (process,) = ps(tmp_path)
    assert (process.service, process.replica, process.restarts) == ("sleeper", 0, 0)
    assert process.pid == child_of(system)
    assert process.state == "ready"


def test_down_ends_everything(system: subprocess.Popen[bytes], tmp_path: Path):
    child = child_of(system)
    assert down(tmp_path) is True
    assert gone(child)
    assert ps(tmp_path) == ()


def test_down_where_nothing_runs_says_so(tmp_path: Path):
    assert down(tmp_path) is False


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal of Linux")
def test_the_processes_die_with_a_killed_supervisor(
    system: subprocess.Popen[bytes], tmp_path: Path
):
    child = child_of(system)
    system.kill()
    wait_for(lambda: gone(child))
    assert ps(tmp_path) == ()


def test_the_next_start_ends_what_a_killed_supervisor_left(tmp_path: Path):
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    directory = DataDirectory(tmp_path)
    write_report(directory, SystemReport(this_process(), (), (running(psutil.Process(left.pid)),)))
    (tmp_path / "candlelog.env").touch()
    with held(directory):
        assert left.poll() is not None
        assert not (tmp_path / "candlelog.env").exists()


def test_another_process_with_an_old_pid_is_left_alone(tmp_path: Path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        born_at = psutil.Process(other.pid).create_time()
        earlier = Running(other.pid, born_at - 60)
        directory = DataDirectory(tmp_path)
        write_report(directory, SystemReport(this_process(), (), (earlier,)))
        with held(directory):
            assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("sandbox", [True, False])
def test_a_directory_belongs_to_one_kind_of_venue(tmp_path: Path, sandbox: bool):
    directory = DataDirectory(tmp_path)
    first = identify(directory, sandbox=sandbox)
    assert identify(directory, sandbox=sandbox) == first
    flag = "--sandbox" if sandbox else "--no-sandbox"
    with pytest.raises(Misconfigured, match=f"start it with {flag}, or give another"):
        identify(directory, sandbox=not sandbox)


def test_two_directories_have_different_tokens(tmp_path: Path):
    for name in "ab":
        (tmp_path / name).mkdir()
    tokens = {identify(DataDirectory(tmp_path / name), sandbox=True).admin_token for name in "ab"}
    assert len(tokens) == 2
