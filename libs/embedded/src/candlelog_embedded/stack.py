"""Broker, Postgres and ClickHouse engine for a test session: started when first asked for."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from random import Random

from candlelog.errors import CandlelogError
from candlelog_embedded.broker import broker
from candlelog_embedded.clickhouse import clickhouse, clickhouse_url
from candlelog_embedded.postgres import postgres, postgres_dsn
from candlelog_embedded.process import ProcessSpec, becomes_ready, free_ports

_START_SECONDS = 240.0
_STOP_SECONDS = 15.0
_LOG_LINES_SHOWN = 30


class StackFailedError(CandlelogError):
    """A process of the stack did not become ready; the text ends with its log."""


class Stack:
    """The three stores in a temporary folder, each on a loopback port. Not for concurrent callers.

    Data need not outlive the machine, only the processes.
    """

    def __init__(self, generator: Random) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="candlelog-stack-"))
        self._generator = generator
        self._running: dict[str, tuple[ProcessSpec, subprocess.Popen[bytes]]] = {}
        self._ports: dict[str, int] = {}

    @property
    def kafka_bootstrap(self) -> str:
        """`host:port` of the broker."""
        if "broker" not in self._running:
            port, controller_port = free_ports(2, self._generator)
            directory = self._directory / "broker"
            self._start(broker(directory, port=port, controller_port=controller_port), port)
        return f"127.0.0.1:{self._ports['broker']}"

    @property
    def postgres_dsn(self) -> str:
        """The DSN of the server's own database, `postgres`."""
        if "postgres" not in self._running:
            (port,) = free_ports(1, self._generator)
            self._start(postgres(self._directory / "postgres", port=port, durable=False), port)
        return postgres_dsn(self._ports["postgres"])

    @property
    def clickhouse_url(self) -> str:
        """The URL of the engine's database `default`."""
        if "clickhouse" not in self._running:
            (port,) = free_ports(1, self._generator)
            self._start(clickhouse(self._directory / "clickhouse", port=port), port)
        return clickhouse_url(self._ports["clickhouse"])

    def stop(self) -> None:
        """End what was started and remove the folder."""
        for spec, process in self._running.values():
            process.send_signal(spec.stop_signal)
        for _, process in self._running.values():
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, spec: ProcessSpec, port: int) -> None:
        # Accounts other than root's, as which some processes run then, must get at their folder.
        self._directory.chmod(0o755)
        spec.prepare()
        log = self._directory / f"{spec.name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  (our own commands)
                spec.leashed_command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | dict(spec.environment),
            )
        self._running[spec.service] = (spec, process)
        self._ports[spec.service] = port
        self._await_ready(spec, process, log)

    def _await_ready(self, spec: ProcessSpec, process: subprocess.Popen[bytes], log: Path) -> None:
        if becomes_ready(process, spec.ready, seconds=_START_SECONDS):
            return
        last_lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
        raise StackFailedError("\n".join([f"{spec.name} did not become ready:", *last_lines]))
