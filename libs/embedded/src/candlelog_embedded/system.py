"""`candlelog up`, `down` and `ps`: the embedded system of a data directory."""

import asyncio
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import psutil
from filelock import FileLock, Timeout

from candlelog.errors import CandlelogError, Misconfigured
from candlelog_embedded.process import free_ports, reserve
from candlelog_embedded.supervisor.directory import (
    DataDirectory,
    environment_text,
    write_atomically,
)
from candlelog_embedded.supervisor.ending import (
    end_processes,
    kill_with_children,
    signal_process,
)
from candlelog_embedded.supervisor.identity import identify
from candlelog_embedded.supervisor.state import ProcessReport, leftovers, read_report
from candlelog_embedded.supervisor.supervisor import Stage, Supervisor
from candlelog_embedded.topology import Options, Ports, shared_environment, stages

STOPPED = "Candlelog stopped. Running jobs are kept and go on at the next `candlelog up`."
_STOP_SECONDS = 20.0
_LEFTOVERS_SECONDS = 5.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class AlreadyRunningError(CandlelogError):
    """The data directory is in use."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The system is up. `environment` is what `candlelog.env` holds, with the admin token."""

    data_dir: Path
    sandbox: bool
    environment: Mapping[str, str]

    @property
    def line(self) -> str:
        """One line for a terminal."""
        venue = "sandbox exchange" if self.sandbox else "real venues"
        address = self.environment["CANDLELOG_API_URL"]
        file = DataDirectory(self.data_dir).environment_file
        return f"Candlelog is ready: {address} ({venue}); settings and token in {file}"


def up(options: Options, *, ready: Callable[[Ready], None], note: Callable[[str], None]) -> None:
    """Run the system until SIGINT, SIGTERM or SIGHUP; blocks and leaves no process.

    `ready` is called once when every service answers, `note` with sentences for the user.
    Raises AlreadyRunningError, Misconfigured (the directory cannot be, or belongs to the other kind
    of venue, a port is taken), ChildFailedError (a process does not start).
    """
    directory = DataDirectory(options.data_dir)
    options = replace(options, data_dir=directory.root)
    with held(directory):
        ports = _ports(options)
        identity = identify(directory, sandbox=options.sandbox)
        environment = shared_environment(options, ports, identity)
        told = Ready(directory.root, identity.sandbox, environment)
        plan = stages(options, ports, environment)
        asyncio.run(serve(directory, plan, told, ready=ready, note=note))
    note(STOPPED)


def down(data_dir: Path) -> bool:
    """Stop what runs on a data directory; False when nothing did. Blocks until all is gone."""
    directory = DataDirectory(data_dir)
    report = read_report(directory)
    supervisor = report.supervisor.process() if report else None
    if supervisor is not None:
        signal_process(supervisor, signal.SIGTERM)
        _, alive = psutil.wait_procs([supervisor], timeout=_STOP_SECONDS)
        for process in alive:
            kill_with_children(process)
    left = leftovers(directory)
    end_processes(left, _LEFTOVERS_SECONDS)
    return supervisor is not None or bool(left)


def ps(data_dir: Path) -> tuple[ProcessReport, ...]:
    """What runs on a data directory; empty when its supervisor does not."""
    report = read_report(DataDirectory(data_dir))
    alive = report is not None and report.supervisor.process() is not None
    return report.processes if report and alive else ()


@contextmanager
def held(directory: DataDirectory) -> Generator[None]:
    """Own a data directory; what a killed predecessor left running is ended first."""
    directory.make()
    try:
        lock = FileLock(directory.lock_file).acquire(timeout=0)
    except Timeout:
        raise AlreadyRunningError(
            f"Candlelog runs on {directory.root} already; `candlelog down` stops it"
        ) from None
    with lock:
        directory.environment_file.unlink(missing_ok=True)
        end_processes(leftovers(directory), _LEFTOVERS_SECONDS)
        yield


async def serve(
    directory: DataDirectory,
    plan: Sequence[Stage],
    told: Ready,
    *,
    ready: Callable[[Ready], None],
    note: Callable[[str], None],
) -> None:
    """Run the stages until a signal comes; `candlelog.env` is there while all is ready."""
    supervisor = Supervisor(directory, plan, note)

    def all_ready() -> None:
        write_atomically(directory.environment_file, environment_text(told.environment))
        ready(told)

    def stop() -> None:
        directory.environment_file.unlink(missing_ok=True)
        supervisor.stopping.set()

    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await supervisor.run(all_ready)
    finally:
        directory.environment_file.unlink(missing_ok=True)


def _ports(options: Options) -> Ports:
    port = options.api_port
    try:
        if port is not None and not reserve(port):
            raise Misconfigured(f"port {port} is in use: give another --api-port")
    except OSError as error:
        raise Misconfigured(f"port {port} cannot be opened: {error}") from None
    return Ports(options, free_ports(Ports.needed(options), Random()))
