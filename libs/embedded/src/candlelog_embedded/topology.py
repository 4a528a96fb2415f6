"""The processes of Candlelog, in the order in which they start, and what each is told."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from candlelog.errors import Misconfigured, Unavailable
from candlelog.events.topics import TOPICS
from candlelog.grace import PROCESS_SECONDS
from candlelog.market.profile import EXCHANGES
from candlelog_embedded.broker import broker
from candlelog_embedded.clickhouse import clickhouse, clickhouse_url
from candlelog_embedded.postgres import postgres, postgres_dsn
from candlelog_embedded.process import ProcessSpec, http_answers
from candlelog_embedded.supervisor.identity import Identity
from candlelog_embedded.supervisor.supervisor import Stage
from candlelog_embedded.venues import check_archives, check_exchange_urls

TOPIC_PREFIX = "candlelog."
SERVICES = ("coordinator", "fetcher", "clickhouse-sink", "featurizer", "gap-auditor", "status-api")
API = "status-api"
_SAMPLE_MARKET = Path(__file__).with_name("sample_market")
_STORES_GRACE_SECONDS = 4.0
"""With `PROCESS_SECONDS` for the services before them, within the 15 s that a stop may take."""
_ANSWERING_SECONDS = 30.0
"""How long a broker may listen, and hang up on who asks, before that is the end of a start."""

MOST_REPLICAS = max(topic.partitions for topic in TOPICS)


@dataclass(frozen=True, slots=True)
class Options:
    """What `candlelog up` was asked for.

    `exchange_urls` and `archives` map the name of an exchange to where it is; `replicas` the name
    of a service to a number, 1 where it is missing; `feature_sets` is a folder of them, not
    judged here: that is `check_feature_sets`, and takes a second.
    """

    data_dir: Path
    api_port: int | None = None
    sandbox: bool = False
    exchange_urls: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    archives: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    replicas: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    feature_sets: str | None = None

    def __post_init__(self) -> None:
        """Raises Misconfigured for what cannot work: an exchange or a service that is not there,
        an address or a folder that is none, a number of replicas that a service cannot have.
        """
        check_exchange_urls(self.exchange_urls)
        check_archives(self.archives)
        for service, number in self.replicas.items():
            if service not in SERVICES:
                raise Misconfigured(f"no service {service}: there are {', '.join(SERVICES)}")
            if number < 1:
                raise Misconfigured(f"{service} needs one replica at least, not {number}")
            if number > MOST_REPLICAS:
                raise Misconfigured(
                    f"{service} can have {MOST_REPLICAS} replicas at most, not {number}: "
                    "no topic has more partitions, so the others would have nothing to do"
                )

    @property
    def processes(self) -> tuple[tuple[str, int], ...]:
        """Every service with the numbers of its replicas."""
        return tuple(
            (service, replica)
            for service in SERVICES
            for replica in range(self.replicas.get(service, 1))
        )


class Ports:
    """Which process listens where, for the life of a supervisor."""

    def __init__(self, options: Options, free: Iterable[int]) -> None:
        numbers = iter(free)
        self.broker, self.controller, self.postgres, self.clickhouse, self.sandbox = (
            next(numbers) for _ in range(5)
        )
        self._services = {process: next(numbers) for process in options.processes}
        if options.api_port is not None:
            self._services[API, 0] = options.api_port

    @staticmethod
    def needed(options: Options) -> int:
        """How many free ports to give."""
        return 5 + len(options.processes)

    def of(self, service: str, replica: int = 0) -> int:
        """Where a service answers HTTP."""
        return self._services[service, replica]


def shared_environment(options: Options, ports: Ports, identity: Identity) -> dict[str, str]:
    """The variables every process of ours is told, and clients find in `candlelog.env`.

    Empty ones too: no process is to find those of another system in its surroundings. Where a
    folder of feature sets is named there alone, `up` has it as an option.
    """
    exchange_urls = dict(options.exchange_urls)
    if options.sandbox:
        for name in EXCHANGES:
            exchange_urls.setdefault(name, f"http://127.0.0.1:{ports.sandbox}")
    variables = {
        "CANDLELOG_KAFKA_BOOTSTRAP": f"127.0.0.1:{ports.broker}",
        "CANDLELOG_TOPIC_PREFIX": TOPIC_PREFIX,
        "CANDLELOG_POSTGRES_DSN": postgres_dsn(ports.postgres),
        "CANDLELOG_CLICKHOUSE_URL": clickhouse_url(ports.clickhouse, "candlelog"),
        "CANDLELOG_API_URL": f"http://127.0.0.1:{ports.of(API)}",
        "CANDLELOG_API_TOKEN": identity.admin_token,
        "CANDLELOG_API_TOKENS": identity.accepted_tokens,
        "CANDLELOG_EXCHANGE_URLS": _pairs(exchange_urls),
        "CANDLELOG_ARCHIVES": _pairs(options.archives),
        "CANDLELOG_EGRESS": "default",
    }
    if options.feature_sets is not None:
        variables["CANDLELOG_FEATURE_SETS"] = str(Path(options.feature_sets).resolve())
    return variables


def stages(options: Options, ports: Ports, environment: Mapping[str, str]) -> tuple[Stage, ...]:
    """Stores and exchange first, then the topics, then the services."""
    root = options.data_dir
    stores = [
        broker(root / "broker", port=ports.broker, controller_port=ports.controller),
        postgres(root / "postgres", port=ports.postgres),
        clickhouse(root / "clickhouse", port=ports.clickhouse),
    ]
    if options.sandbox:
        stores.append(_sandbox(ports.sandbox))
    bootstrap = environment["CANDLELOG_KAFKA_BOOTSTRAP"]
    return (
        Stage(tuple(stores), _STORES_GRACE_SECONDS, partial(_apply_topics, bootstrap)),
        Stage(
            tuple(_service(process, options, ports, environment) for process in options.processes),
            PROCESS_SECONDS,
        ),
    )


@retry(
    retry=retry_if_exception_type(Unavailable),
    wait=wait_fixed(0.5),
    stop=stop_after_delay(_ANSWERING_SECONDS),
    reraise=True,
)
async def _apply_topics(bootstrap: str) -> None:
    """Make the topics: again, where a busy broker that listens already has hung up."""
    from candlelog.log.topics_admin import apply_topics  # noqa: PLC0415 -- `ps` and `down` need no Kafka client

    await apply_topics(bootstrap, TOPIC_PREFIX)


def _sandbox(port: int) -> ProcessSpec:
    module = (sys.executable, "-m", "candlelog_embedded.sandbox")
    return ProcessSpec(
        service="sandbox",
        command=(*module, "--port", str(port), "--market", str(_SAMPLE_MARKET)),
        ready=http_answers(f"http://127.0.0.1:{port}/readyz"),
    )


def _service(
    process: tuple[str, int], options: Options, ports: Ports, environment: Mapping[str, str]
) -> ProcessSpec:
    service, replica = process
    module = service.replace("-", "_")
    port = ports.of(service, replica)
    own = {"HTTP_PORT": str(port), "INSTANCE": f"{service}-{replica}"}
    if service == API:
        own["SANDBOX"] = str(options.sandbox).lower()
    named = {f"{module.upper()}_{name}": value for name, value in own.items()}
    return ProcessSpec(
        service=service,
        replica=replica,
        command=(sys.executable, "-m", module),
        environment=MappingProxyType({**environment, **named, **_past_the_proxy()}),
        ready=http_answers(f"http://127.0.0.1:{port}/readyz"),
    )


def _past_the_proxy() -> dict[str, str]:
    """A proxy of this machine's surroundings is for venues: our own processes it cannot reach."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    direct = known if known == "*" else ",".join(filter(None, (known, "127.0.0.1,localhost")))
    return {"no_proxy": direct, "NO_PROXY": direct}


def _pairs(mapping: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in mapping.items())
