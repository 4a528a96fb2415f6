"""Fixtures of the whole workspace: the stores, and the guard against sockets.

Only tests marked `connected`, `end_to_end` or `faults` may open a socket; unix sockets, with which
asyncio wakes itself, are free to all. The stores are the embedded ones, or those of
`docker-compose.yml` with `--stack=containers`. They are started once a session: when a test first
asks for one, or, with workers (`-n`), before there is any, by the process that leads them.
"""

import gc
import itertools
import os
import shutil
import tempfile
import urllib.request
import uuid
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import pytest_socket
from blockbuster import blockbuster_ctx
from hypothesis import settings

from candlelog.events.topics import TOPICS, Topic
from candlelog_embedded.stack import Stack

# No test asserts on a clock, and this machine may be busy.
settings.register_profile("candlelog", deadline=None)
settings.load_profile("candlelog")

_MAY_USE_SOCKETS = ("connected", "end_to_end", "faults")
_OURS = [
    "candlelog", "clickhouse_sink", "coordinator", "featurizer", "fetcher", "gap_auditor",
    "status_api",
]  # fmt: skip
_IN_MEMORY = Path("/dev/shm")  # noqa: S108  (tests keep no secrets)
_IN_MEMORY_BYTES = 4 * 1024**3
_numbers = itertools.count(1)
# What is collected stays; to look for garbage meanwhile takes two fifths of the time. The process
# that leads workers collects nothing, and has little.
gc.disable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what the connected tests stand on."""
    parser.addoption(
        "--stack",
        choices=("embedded", "containers"),
        default="embedded",
        help="stores of the connected tests: embedded, or containers (needs Docker)",
    )
    parser.addoption(
        "--replicas",
        action="append",
        default=[],
        metavar="SERVICE=N",
        help="how many of a service the systems have that tests start: as in `candlelog up`",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Keep files in memory where there is room; end a run on containers where there is no Docker.

    For a new file ext4 looks past every one that was deleted in the last seconds, and the tests
    delete hundreds a second: with databases and topics on a disk, a third of their time goes there.
    """
    if _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free >= _IN_MEMORY_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_IN_MEMORY)
    if config.getoption("stack") == "containers":
        from tests.containers import require_docker  # noqa: PLC0415  (other runs need no Docker)

        require_docker()


@pytest.fixture(autouse=True)
def no_blocking_calls(request: pytest.FixtureRequest) -> Generator[None]:
    """Fail a connected test in which a part of ours blocks the event loop."""
    if request.node.get_closest_marker("connected") is None:
        yield
        return
    with blockbuster_ctx(_OURS) as guard:
        for name, function in guard.functions.items():
            if name.startswith(("os.", "io.")):  # migrations and settings are read at start
                function.deactivate()
        yield


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forbid sockets to tests that are not marked for them."""
    if any(item.get_closest_marker(name) for name in _MAY_USE_SOCKETS):
        pytest_socket.enable_socket()
    else:
        pytest_socket.disable_socket(allow_unix_socket=True)


@dataclass(frozen=True)
class Elsewhere:
    """The addresses of stores that another process has started, and will stop."""

    kafka_bootstrap: str
    postgres_dsn: str
    clickhouse_url: str

    def stop(self) -> None:
        """Nothing is ours to stop."""


if TYPE_CHECKING:
    from tests.containers import Containers

    Stores = Stack | Containers | Elsewhere
    """A store is started when its address is first asked for."""

_SHARED = pytest.StashKey["Stores"]()


def _stores(config: pytest.Config) -> "Stores":
    if config.getoption("stack") == "containers":
        from tests.containers import Containers  # noqa: PLC0415  (other runs need no Docker)

        return Containers()
    return Stack(Random())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where the stores are: one set for all, since a broker takes processor time even
    when it has nothing to do."""
    stash = node.config.stash
    if _SHARED not in stash:
        stash[_SHARED] = _stores(node.config)
    stores = stash[_SHARED]
    node.workerinput["stores"] = {
        "kafka_bootstrap": stores.kafka_bootstrap,
        "postgres_dsn": stores.postgres_dsn,
        "clickhouse_url": stores.clickhouse_url,
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the stores that workers shared."""
    if (stores := config.stash.get(_SHARED, None)) is not None:
        stores.stop()


def pytest_collection_finish() -> None:
    """Look for garbage from now on, but not among modules and tests."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> "Generator[Stores]":
    """The stores of this session."""
    worker = getattr(request.config, "workerinput", None)
    stores = _stores(request.config) if worker is None else Elsewhere(**worker["stores"])
    yield stores
    pytest_socket.enable_socket()
    stores.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap(stack: "Stores") -> str:
    """`host:port` of the broker."""
    return stack.kafka_bootstrap


@pytest.fixture(scope="session")
def postgres_server_dsn(stack: "Stores") -> str:
    """The DSN of the server's own database."""
    return stack.postgres_dsn


@pytest.fixture(scope="session")
def clickhouse_server_url(stack: "Stores") -> str:
    """The URL of the engine's own database."""
    return stack.clickhouse_url


@pytest.fixture
def fresh_name() -> str:
    """A name no other test of any session has, fit for a topic, a database and a schema."""
    return f"t{next(_numbers)}_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def topic_prefix(fresh_name: str) -> str:
    """A prefix of topics and groups of this test alone."""
    return f"{fresh_name}."


@pytest.fixture
def topic_table() -> Sequence[Topic]:
    """The topics that `topics` makes: all, unless a module says which it needs. A broker takes
    longer to make all than most tests last."""
    return TOPICS


@pytest.fixture
async def topics(
    kafka_bootstrap: str, topic_prefix: str, topic_table: Sequence[Topic]
) -> AsyncGenerator[str]:
    """Topics under the prefix of this test, which is the value."""
    from tests.topics import topics_under  # noqa: PLC0415  (unit tests need no Kafka)

    async with topics_under(kafka_bootstrap, topic_prefix, topic_table):
        yield topic_prefix


@pytest.fixture(scope="session")
def postgres_template() -> str:
    """The database of which each test gets a copy: an empty one, but for tests of one service."""
    from tests.databases import EMPTY  # noqa: PLC0415  (unit tests need no Postgres)

    return EMPTY


@pytest.fixture
async def postgres_dsn(
    postgres_server_dsn: str, postgres_template: str, fresh_name: str
) -> AsyncGenerator[str]:
    """The DSN of a database of this test alone."""
    from tests.databases import database  # noqa: PLC0415  (unit tests need no Postgres)

    async with database(postgres_server_dsn, fresh_name, template=postgres_template) as dsn:
        yield dsn


@pytest.fixture
def clickhouse_url(clickhouse_server_url: str, fresh_name: str) -> Generator[str]:
    """The URL of an empty database of this test alone."""
    _clickhouse(clickhouse_server_url, f"CREATE DATABASE {fresh_name}")
    yield clickhouse_server_url.removesuffix("/default") + f"/{fresh_name}"
    _clickhouse(clickhouse_server_url, f"DROP DATABASE {fresh_name} SYNC")


def _clickhouse(url: str, statement: str) -> None:
    parts = urlsplit(url)
    request = urllib.request.Request(
        f"http://{parts.hostname}:{parts.port}/",
        statement.encode(),
        {"X-ClickHouse-User": parts.username or "", "X-ClickHouse-Key": parts.password or ""},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request):
        pass
