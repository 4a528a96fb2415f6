"""Ending processes."""

from collections.abc import Sequence
from contextlib import suppress
from signal import SIGTERM, Signals

import psutil


def signal_process(process: psutil.Process, number: Signals) -> None:
    """Send a signal to a process that may have ended."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def kill_with_children(process: psutil.Process) -> None:
    """Kill a process and everything it started, which would live on without it."""
    with suppress(psutil.NoSuchProcess):
        # Asked before the kill: afterwards nobody knows whose children they were.
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def end_processes(processes: Sequence[psutil.Process], grace_seconds: float) -> None:
    """End processes: SIGTERM, and after the grace SIGKILL. Blocks until they are gone."""
    for process in processes:
        signal_process(process, SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=grace_seconds)
    for process in alive:
        kill_with_children(process)
    psutil.wait_procs(alive, timeout=grace_seconds)
