"""Apache Kafka in KRaft mode: broker and controller in one small JVM."""

import re
import shutil
import subprocess
import sys
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from random import Random

from candlelog.errors import CandlelogError
from candlelog.events.topics import MAX_MESSAGE_BYTES
from candlelog_embedded.jars import KAFKA_VERSION, all_present, cache_directory
from candlelog_embedded.java import archive_classes, java
from candlelog_embedded.process import (
    ProcessSpec,
    becomes_ready,
    free_ports,
    leashed,
    port_answers,
    run_to_end,
)

_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={log_directory}

auto.create.topics.enable=false
message.max.bytes={max_message_bytes}
replica.fetch.max.bytes={max_message_bytes}

# One node: no copy to wait for, and few partitions of its own to open at start.
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0

# The controller waits as long as this before it takes back a broker that was killed; and on a
# busy machine it puts aside one that was not heard of for as long, which then serves nobody.
broker.session.timeout.ms=9000
# Every beat, and every record that only says that nothing happens, costs processor time.
broker.heartbeat.interval.ms=1000
metadata.max.idle.interval.ms=5000

# A laptop's share of threads and memory.
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=8388608
"""
_IDENTITY = "meta.properties"
_BOOTSTRAP = "__cluster_metadata-0/*.checkpoint"
_SETTINGS_FILE = "server.properties"
_START_SECONDS, _STOP_SECONDS = 120, 60
_LOG_LINES_SHOWN = 30
_ENDED_BY_SIGTERM = 143
"""The exit code of a JVM that ended in order when told to."""

_NOT_STARTED = "the broker cannot start"
_NOT_FORMATTED = """\
Kafka's tool cannot format the broker's log; `candlelog doctor` says whether Java runs here"""


class BrokerFailedError(CandlelogError):
    """The broker cannot start; the message says what to do."""


def broker(directory: Path, *, port: int, controller_port: int) -> ProcessSpec:
    """The broker with its log under `directory`, which is made and formatted at the first start."""
    cache = cache_directory()

    def prepare() -> None:
        if not is_installed(cache):
            _run(sys.executable, "-m", "candlelog_embedded.install", failed=_NOT_STARTED)
        _prepare(cache, directory, port=port, controller_port=controller_port)

    return ProcessSpec(
        service="broker",
        command=java(cache, *_arguments(directory)),
        ready=port_answers(port),
        prepare=prepare,
    )


def is_installed(cache: Path) -> bool:
    """Whether the cache holds all that a broker needs to start."""
    return all_present(cache) and _is_formatted(_pattern(cache))


def format_pattern(cache: Path) -> None:
    """Have Kafka's tool format an empty log, of which every broker gets a copy.

    Once, at installation, under its lock: the tool is a JVM of its own, and takes seconds. Raises
    BrokerFailedError.
    """
    if _is_formatted(_pattern(cache)):
        return
    folder = cache / "formatting"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    settings, log_directory = folder / _SETTINGS_FILE, folder / "log"
    settings.write_text(_settings(log_directory, port=1, controller_port=2))  # nobody listens
    options = (f"--cluster-id={_new_cluster()}", "--config", str(settings))
    command = java(cache, "kafka.tools.StorageTool", "format", *options)
    _run(*command, failed=_NOT_FORMATTED)
    _copy_formatted(log_directory, _pattern(cache))
    shutil.rmtree(folder)


def hasten_starts(cache: Path, generator: Random) -> None:
    """Have a broker start and end once, if need be, so that others find its classes archived.

    At installation, under its lock. Raises BrokerFailedError and OSError; none is needed to start.
    """

    def live(folder: Path, archive: tuple[str, ...]) -> None:
        port, controller_port = free_ports(2, generator)
        _prepare(cache, folder, port=port, controller_port=controller_port)
        command = java(cache, *_arguments(folder), archive=archive)
        _start_and_end(command, port, log=folder / "broker.log")

    archive_classes(cache, live)


def _start_and_end(command: tuple[str, ...], port: int, *, log: Path) -> None:
    """End it as soon as it answers. Raises BrokerFailedError unless it does, and ends in order."""
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603  (the command is written in this package)
            leashed(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        answered = becomes_ready(process, port_answers(port), seconds=_START_SECONDS)
        process.terminate()
        try:
            code = process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    if not answered or code != _ENDED_BY_SIGTERM:
        last = log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
        raise BrokerFailedError("\n".join([f"a broker that was tried ended with {code}:", *last]))


def _prepare(cache: Path, directory: Path, *, port: int, controller_port: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    log_directory = directory / "log"
    settings = _settings(log_directory, port=port, controller_port=controller_port)
    (directory / _SETTINGS_FILE).write_text(settings)
    if not (log_directory / _IDENTITY).exists():
        _copy_formatted(_pattern(cache), log_directory)


def _arguments(directory: Path) -> tuple[str, ...]:
    return ("kafka.Kafka", str(directory / _SETTINGS_FILE))


def _pattern(cache: Path) -> Path:
    return cache / f"formatted-{KAFKA_VERSION}"


def _is_formatted(log_directory: Path) -> bool:
    return (log_directory / _IDENTITY).is_file() and any(log_directory.glob(_BOOTSTRAP))


def _copy_formatted(formatted: Path, log_directory: Path) -> None:
    """Copy a formatted log, under a cluster id of its own. May end at any line: the identity comes
    last, and at once. Modes are not copied: the tool's files not even their owner may write to."""
    for source in formatted.glob(_BOOTSTRAP):
        target = log_directory / source.relative_to(formatted)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    identity = (formatted / _IDENTITY).read_text()
    beside = log_directory / f"{_IDENTITY}.new"
    own = re.sub(r"(?m)^cluster\.id=.*$", f"cluster.id={_new_cluster()}", identity)
    beside.write_text(own)
    beside.rename(log_directory / _IDENTITY)


def _new_cluster() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


def _settings(log_directory: Path, *, port: int, controller_port: int) -> str:
    return _SETTINGS.format(
        port=port,
        controller_port=controller_port,
        log_directory=log_directory,
        max_message_bytes=MAX_MESSAGE_BYTES,
    )


def _run(*command: str, failed: str) -> None:
    try:
        done = run_to_end(command)
    except OSError as error:
        raise BrokerFailedError(f"{failed}: {error}") from error
    if done.returncode:
        raise BrokerFailedError(f"{failed}: {done.stderr or done.stdout}")
