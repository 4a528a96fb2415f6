"""Broker, Postgres and ClickHouse server for a test session, of the images that compose runs."""

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import pytest
import yaml
from docker.errors import DockerException
from testcontainers.community.clickhouse import ClickHouseContainer
from testcontainers.community.kafka import RedpandaContainer
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.docker_client import DockerClient

COMPOSE = Path(__file__).parents[1] / "docker-compose.yml"
ANSWER_SECONDS, START_SECONDS = 10, 60


def require_docker() -> None:
    """Raise `UsageError`, which ends pytest before the first test, where no engine answers."""
    try:
        DockerClient(timeout=ANSWER_SECONDS).client.close()
    except DockerException as error:
        raise pytest.UsageError(
            f"--stack=containers needs a Docker engine, and none answers: {error}. Start one, or "
            "set DOCKER_HOST to where it is; without the option the embedded stack is used, which "
            "needs no Docker."
        ) from error


class Containers:
    """The addresses of `candlelog_embedded.stack.Stack`; each container starts when its address is
    first asked for. Not for concurrent callers."""

    def __init__(self) -> None:
        images = yaml.safe_load(COMPOSE.read_text())["services"]
        self._images = {name: entry["image"] for name, entry in images.items()}
        self._running = ExitStack()

    @cached_property
    def kafka_bootstrap(self) -> str:
        """`host:port` of the broker."""
        broker = RedpandaContainer(self._images["redpanda"])
        self._running.callback(broker.stop)
        broker.start(timeout=START_SECONDS)
        # The mode in which this class starts it makes a topic for whoever asks for one.
        done = broker.exec("rpk cluster config set auto_create_topics_enabled false")
        assert done.exit_code == 0, done.output.decode()
        return broker.get_bootstrap_server()

    @cached_property
    def postgres_dsn(self) -> str:
        """The DSN of the server's own database, `postgres`."""
        server = PostgresContainer(
            self._images["postgres"],
            username="postgres",
            password="postgres",
            dbname="postgres",
            driver=None,
        ).with_command("postgres -c max_connections=200")
        self._running.enter_context(server)
        return server.get_connection_url()

    @cached_property
    def clickhouse_url(self) -> str:
        """The URL of the server's database `default`."""
        server = ClickHouseContainer(
            self._images["clickhouse"], username="candlelog", password="candlelog", dbname="default"
        ).with_env("TZ", "UTC")
        self._running.enter_context(server)
        host, port = server.get_container_host_ip(), server.get_exposed_port(8123)
        return f"http://candlelog:candlelog@{host}:{port}/default"

    def stop(self) -> None:
        """End what was started, and its data."""
        self._running.close()
