"""How one process of the embedded system is started, and how to see that it is ready."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import MappingProxyType

Probe = Callable[[], bool]
"""Whether a process is ready; blocks for a second at most and does not raise."""

_LEASH = str(Path(__file__).with_name("leash.py"))
_PROBE_SECONDS, _LOOK_EVERY_SECONDS = 1.0, 0.05
_PORTS = (20_000, 32_000)
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _nothing() -> None:
    """Nothing needs doing before a start."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process of the system.

    `command` starts with an absolute path. `prepare` runs before every start and may block: it
    creates what the process needs and clears what a killed predecessor left. `stop_signal` asks for
    an orderly end. `user` is the account to run as when we are root.
    """

    service: str
    command: tuple[str, ...]
    ready: Probe
    replica: int = 0
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    prepare: Callable[[], None] = _nothing
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None

    @property
    def name(self) -> str:
        """Distinct among the processes of a system; names the log file too."""
        return f"{self.service}-{self.replica}" if self.replica else self.service

    @property
    def leashed_command(self) -> tuple[str, ...]:
        """The command, tied to the life of this process."""
        return leashed(self.command, stop_signal=self.stop_signal, user=self.user)


def leashed(
    command: Sequence[str],
    *,
    stop_signal: signal.Signals = signal.SIGTERM,
    user: str | None = None,
) -> tuple[str, ...]:
    """The command line that runs `command` as `user`, and no longer than this process lives."""
    leash = (sys.executable, "-I", "-S", _LEASH)
    return (*leash, str(os.getpid()), str(int(stop_signal)), user or "-", "--", *command)


def run_to_end(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run one of our tools; what it says and its exit code are in the result."""
    return subprocess.run(  # noqa: S603  (the commands are written in this package)
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def becomes_ready(process: subprocess.Popen[bytes], ready: Probe, *, seconds: float) -> bool:
    """Wait for a process; False when it has ended instead, or time is up. Blocks, and for longer
    than `seconds` as far as probes take their time."""
    for _ in range(int(seconds / _LOOK_EVERY_SECONDS)):
        if process.poll() is not None:
            return False
        if ready():
            return True
        time.sleep(_LOOK_EVERY_SECONDS)
    return False


def port_answers(port: int) -> Probe:
    """Ready when something listens on the loopback port."""

    def probe() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_PROBE_SECONDS):
                return True
        except OSError:
            return False

    return probe


def http_answers(url: str) -> Probe:
    """Ready when GET on `url` answers 200."""

    def probe() -> bool:
        try:
            with _NO_PROXY.open(url, timeout=_PROBE_SECONDS) as response:
                return response.status == 200
        except (OSError, urllib.error.URLError):
            return False

    return probe


def free_ports(count: int, generator: Random) -> list[int]:
    """Distinct ports of the loopback interface that nobody uses now.

    No caller, in any process, is given them again while this process lives. They lie below the
    range from which systems pick the local ports of outgoing connections, so that none of these
    takes a port in the moment in which its owner is restarted. Raises OSError as `reserve` does.
    """
    found: list[int] = []
    while len(found) < count:
        port = generator.randrange(*_PORTS)
        if reserve(port):
            found.append(port)
    return found


def reserve(port: int) -> bool:
    """Have a port of the loopback interface until this process ends; False where it is in use.

    Nobody listens on it before its owner has started, nor while that is restarted. What is held
    all that time is the UDP port of the same number, which nothing of ours serves. Raises OSError
    when no process of this account could have any.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not _binds(listener, port):
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        if not _binds(holder, port):
            return False
        holder.detach()  # open until this process ends, however it does
    return True


def _binds(end: socket.socket, port: int) -> bool:
    try:
        end.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True
