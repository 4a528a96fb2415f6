"""A supervisor starts in order, restarts what dies, and leaves nothing behind."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.processes import gone

from candlelog_embedded.process import ProcessSpec
from candlelog_embedded.supervisor.child import ChildFailedError
from candlelog_embedded.supervisor.directory import DataDirectory
from candlelog_embedded.supervisor.state import ProcessReport, State, read_report
from candlelog_embedded.supervisor.supervisor import Stage, Supervisor

Program = Callable[..., ProcessSpec]
Events = Callable[[], list[str]]
LIVES = "(folder / f'{name}.ready').touch()\ntime.sleep(60)\n"


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    return DataDirectory(tmp_path)


@asynccontextmanager
async def supervised(directory: DataDirectory, *stages: Stage) -> AsyncGenerator[Supervisor]:
    """The stages, ready; stopped at the end."""
    supervisor = Supervisor(directory, stages, note=lambda _: None)
    ready = asyncio.Event()
    life = asyncio.create_task(supervisor.run(ready.set))
    try:
        async with asyncio.timeout(240):
            await ready.wait()
        yield supervisor
    finally:
        supervisor.stopping.set()
        await life


def processes(directory: DataDirectory) -> dict[str, ProcessReport]:
    report = read_report(directory)
    assert report is not None
    return {process.service: process for process in report.processes}


def pids(directory: DataDirectory) -> list[int]:
    return [process.pid for process in processes(directory).values() if process.pid is not None]


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(240):
        while not holds():  # noqa: ASYNC110 -- other processes have no event to wait for
            await asyncio.sleep(0.02)


async def test_a_stage_starts_when_the_one_before_is_ready(
    directory: DataDirectory, program: Program, events: Events
):
    async def between() -> None:
        with (directory.root / "events").open("a") as file:
            file.write("between\n")

    first = Stage((program("store"),), 5, between)
    async with supervised(directory, first, Stage((program("service"),), 5)):
        assert events() == ["store ready", "between", "service ready"]


async def test_the_stop_goes_in_reverse_and_leaves_no_process(
    directory: DataDirectory, program: Program, events: Events
):
    stages = Stage((program("store"),), 5), Stage((program("service"),), 5)
    async with supervised(directory, *stages):
        started = pids(directory)
        assert len(started) == 2
    assert events()[-2:] == ["service ended", "store ended"]
    assert all(gone(pid) for pid in started)
    assert {process.state for process in processes(directory).values()} == {State.STOPPED}


async def test_a_killed_process_is_started_again(directory: DataDirectory, program: Program):
    async with supervised(directory, Stage((program("service"),), 5)):
        killed = processes(directory)["service"].pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda: processes(directory)["service"].pid not in (killed, None))
        await eventually(lambda: processes(directory)["service"].state is State.READY)
        assert processes(directory)["service"].restarts == 1


async def test_a_large_log_is_set_aside_when_its_process_is_started_again(
    directory: DataDirectory, program: Program, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("candlelog_embedded.supervisor.logs._LARGE_BYTES", 10)
    wordy = program("wordy", f"print('so many words', os.getpid(), flush=True)\n{LIVES}")
    async with supervised(directory, Stage((wordy,), 5)):
        killed = processes(directory)["wordy"].pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda: processes(directory)["wordy"].restarts == 1)
        await eventually(lambda: processes(directory)["wordy"].state is State.READY)
    log = directory.log_of("wordy")
    assert log.with_name("wordy.log.1").read_text() == f"so many words {killed}\n"
    assert log.read_text().count("\n") == 1


async def test_the_others_go_on_while_one_is_restarted(directory: DataDirectory, program: Program):
    async with supervised(directory, Stage((program("a"), program("b")), 5)):
        before = processes(directory)
        os.kill(before["a"].pid or 0, signal.SIGKILL)
        await eventually(lambda: processes(directory)["a"].restarts == 1)
        assert processes(directory)["b"] == before["b"]


async def test_a_process_that_does_not_end_is_killed_with_its_children(
    directory: DataDirectory, program: Program
):
    deaf = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
(folder / "child").write_text(str(child.pid))
(folder / f"{name}.ready").touch()
time.sleep(60)
"""
    async with supervised(directory, Stage((program("deaf", deaf),), 0.3)):
        started = [*pids(directory), int((directory.root / "child").read_text())]
        assert len(started) == 2
    # The supervisor has seen its child end; that of the child is init's to bury.
    await eventually(lambda: all(gone(pid) for pid in started))


async def test_a_process_that_never_starts_ends_the_start_and_says_why(
    directory: DataDirectory, program: Program
):
    broken = program("broken", "sys.exit('no such table')")
    supervisor = Supervisor(directory, [Stage((program("store"), broken), 5)], lambda _: None)
    with pytest.raises(ChildFailedError, match=r"broken ended with exit code 1\n.*no such table"):
        await supervisor.run(lambda: pytest.fail("it cannot be ready"))
    report = read_report(directory)
    assert report is not None
    assert report.alive == ()


async def test_a_stop_in_the_middle_of_a_start_leaves_no_process(
    directory: DataDirectory, program: Program
):
    slow = program("slow", "(folder / f'{os.getpid()}.pid').touch()\ntime.sleep(60)")
    supervisor = Supervisor(directory, [Stage((slow,), 5)], lambda _: None)
    life = asyncio.create_task(supervisor.run(lambda: pytest.fail("it cannot be ready")))
    try:
        await eventually(lambda: len(list(directory.root.glob("*.pid"))) == 1)
    finally:
        supervisor.stopping.set()
        await life
    (started,) = directory.root.glob("*.pid")
    assert gone(int(started.stem))


async def test_each_process_has_a_log_of_its_own(directory: DataDirectory, program: Program):
    talker = program("talker", "print('hello', flush=True)\n" + LIVES)
    async with supervised(directory, Stage((program("store"), talker), 5)):
        assert directory.log_of("talker").read_text() == "hello\n"
        assert directory.log_of("store").read_text() == ""
