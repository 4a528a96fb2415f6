"""What runs on a data directory, written down for `ps`, `down` and the next start."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

import orjson
import psutil

from candlelog_embedded.supervisor.directory import DataDirectory, write_json

_SAME_PROCESS_SECONDS = 1.0


class State(StrEnum):
    """Where a process stands in its life."""

    WAITING = "waiting"
    """Not running: its turn has not come, or it died and is started again in a moment."""
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Running:
    """A process of this machine, told apart from a later one with the same pid by its birth."""

    pid: int
    born_at: float

    def process(self) -> psutil.Process | None:
        """The process, if it still lives."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.born_at) < _SAME_PROCESS_SECONDS
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """One line of `ps`. `restarts` counts from the start of the supervisor."""

    service: str
    replica: int
    pid: int | None
    state: State
    restarts: int


@dataclass(frozen=True, slots=True)
class SystemReport:
    """The supervisor and its processes; `alive` holds those that have a pid."""

    supervisor: Running
    processes: tuple[ProcessReport, ...]
    alive: tuple[Running, ...]


def this_process() -> Running:
    """The caller."""
    return running(psutil.Process())


def running(process: psutil.Process) -> Running:
    """A process, by pid and birth."""
    return Running(process.pid, process.create_time())


def write_report(directory: DataDirectory, report: SystemReport) -> None:
    """Write the report where `read_report` finds it."""
    write_json(directory.state_file, asdict(report))


def read_report(directory: DataDirectory) -> SystemReport | None:
    """The last report of a directory; None when nothing was ever started there."""
    if not directory.state_file.exists():
        return None
    found = orjson.loads(directory.state_file.read_bytes())
    return SystemReport(
        supervisor=Running(**found["supervisor"]),
        processes=tuple(
            ProcessReport(**(one | {"state": State(one["state"])})) for one in found["processes"]
        ),
        alive=tuple(Running(**one) for one in found["alive"]),
    )


def leftovers(directory: DataDirectory) -> Sequence[psutil.Process]:
    """Processes of the last report that still live."""
    report = read_report(directory)
    found = [one.process() for one in report.alive] if report else []
    return [process for process in found if process is not None]
