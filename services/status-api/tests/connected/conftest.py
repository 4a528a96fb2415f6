"""A replica of the status API over the real stores, served by uvicorn on a loopback port."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import uvicorn
from tests.databases import database
from tests.topics import topics_under

from candlelog.clock import SystemClock
from candlelog.events.markets import Market, MarketsListedV1
from candlelog.health import Health, health_app
from candlelog.lifecycle import Runtime
from candlelog.log.kafka import KafkaLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrate_postgres, migrations_directory
from candlelog.stores.postgres import Pool, connect
from status_api.adapters.changes import ChangeReader
from status_api.adapters.gaps import GapReader
from status_api.adapters.history import History
from status_api.adapters.jobs import JobReader
from status_api.adapters.projection_store import PostgresProjectionStore
from status_api.domain.tokens import parse_tokens
from status_api.handlers.app import application
from status_api.handlers.markets import Markets
from status_api.settings import Settings
from status_api.wiring import Replica

SECRETS = {"reader": "r-secret", "author": "s-secret", "boss": "a-secret"}
SCOPES = {"reader": "read", "author": "submit", "boss": "admin"}
TOKENS = ";".join(
    f"{name}:{SCOPES[name]}:{hashlib.sha256(secret.encode()).hexdigest()}"
    for name, secret in SECRETS.items()
)


MARKETS = MarketsListedV1(
    exchange="binance",
    markets=tuple(
        Market(symbol=symbol, active=True) for symbol in ("BTC/USDT", "ETH/USDT", "ETH/BTC")
    ),
    listed_at=datetime.now(UTC),
)


@dataclass
class Served:
    """A running replica, and a client of it whose token may submit."""

    url: str
    http: httpx.AsyncClient
    pool: Pool
    publisher: Publisher
    log: KafkaLog
    prefix: str
    clickhouse: ClickHouse
    stopping: asyncio.Event
    markets: Markets
    begin: dict[Partition, int] = field(default_factory=dict)
    """Where the commands of the running test begin."""
    began: datetime = datetime(2024, 1, 1, tzinfo=UTC)

    async def commands(self) -> list[Any]:
        """Every command on the log since the test began."""
        found: list[Any] = []
        async with self.log.tail([f"{self.prefix}jobs.commands"], start=self.begin) as tail:
            ends = await tail.end()
            while any(at < ends[each] for each, at in (await tail.positions()).items()):
                records = await tail.poll(max_records=500, timeout=1)
                found += [receive(each).event for each in records]
        return found

    async def jobs(self, **query: Any) -> list[dict[str, Any]]:
        """The jobs that were submitted since the test began."""
        answer = await self.http.get("/jobs", params={"since": self.began.isoformat(), **query})
        return answer.json()["items"]


Serve = Callable[..., Awaitable[Served]]
"""Starts a replica, on another database where a DSN is given."""


@asynccontextmanager
async def replica(bootstrap: str, prefix: str, dsn: str, url: str) -> AsyncGenerator[Served]:
    log, clock, health = KafkaLog(bootstrap), SystemClock(), Health()
    clickhouse = ClickHouse(url)
    async with log.producer() as producer, connect(dsn, schema="status", max_size=8) as pool:
        await migrate_postgres(pool, "status", migrations_directory("status-api"))
        publisher = Publisher(producer, source="test", clock=clock, topic_prefix=prefix)
        runtime = Runtime(
            service="status-api",
            instance=uuid.uuid4().hex[:6],
            topic_prefix=prefix,
            clock=clock,
            log=log,
            publisher=publisher,
            health=health,
            http=health_app(health),
        )
        settings = Settings(CANDLELOG_KAFKA_BOOTSTRAP=bootstrap)
        made = Replica(
            runtime,
            store=PostgresProjectionStore(pool),
            jobs=JobReader(pool),
            gaps=GapReader(pool),
            changes=ChangeReader(pool, prefix),
            history=History(clickhouse),
            settings=settings,
        )
        runtime.http.mount("/", application(made.context, parse_tokens(TOKENS), "test"))
        config = uvicorn.Config(
            runtime.http, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        running = [asyncio.create_task(made.run()), asyncio.create_task(server.serve())]
        while not server.started or await health.failing():
            await asyncio.sleep(0.02)
            for task in running:
                if task.done():
                    task.result()
        port = server.servers[0].sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {SECRETS['author']}"}
        async with httpx.AsyncClient(
            base_url=f"{address}/api/v1", headers=headers, timeout=20, trust_env=False
        ) as http:
            yield Served(
                address,
                http,
                pool,
                publisher,
                log,
                prefix,
                clickhouse,
                runtime.stopping,
                made.context.markets,
            )
        runtime.stopping.set()
        server.should_exit = True
        await asyncio.wait_for(asyncio.gather(*running), 60)
    await clickhouse.close()


@asynccontextmanager
async def stores(bootstrap: str, postgres: str, clickhouse: str) -> AsyncGenerator[Serve]:
    """Starts replicas on topics and databases of their own."""
    name = f"status_{uuid.uuid4().hex[:8]}"
    url = clickhouse.removesuffix("/default") + f"/{name}"
    engine = ClickHouse(url)
    await migrate_clickhouse(engine, migrations_directory("clickhouse-sink"))
    async with (
        database(postgres, name) as dsn,
        topics_under(bootstrap, f"{name}."),
        AsyncExitStack() as stack,
    ):
        yield lambda other=None: stack.enter_async_context(
            replica(bootstrap, f"{name}.", other or dsn, url)
        )
    await engine.command(f"DROP DATABASE {name} SYNC")
    await engine.close()


@pytest.fixture(scope="module")
async def serve(
    kafka_bootstrap: str, postgres_server_dsn: str, clickhouse_server_url: str
) -> AsyncGenerator[Serve]:
    """Starts replicas on one set of stores, which the tests of a module share."""
    async with stores(kafka_bootstrap, postgres_server_dsn, clickhouse_server_url) as start:
        yield start


@pytest.fixture(scope="module")
async def first(serve: Serve) -> Served:
    """A replica that knows the markets of Binance."""
    served = await serve()
    await served.publisher.publish(MARKETS)
    return served


@pytest.fixture(scope="module")
async def second(serve: Serve, first: Served) -> Served:
    """Another replica on the same stores."""
    return await serve()


@pytest.fixture
async def api(first: Served) -> Served:
    """The replica, with nothing on the log that this test has not put there."""
    async with first.log.tail([f"{first.prefix}jobs.commands"], start="end") as tail:
        first.begin = dict(await tail.end())
    first.began = datetime.now(UTC)
    return first


@pytest.fixture
def body() -> dict[str, object]:
    """A valid body of POST /jobs."""
    return {
        "exchange": "binance",
        "symbols": ["BTC/USDT"],
        "timeframes": ["1m"],
        "start": "2024-02-01T00:00:00Z",
        "end": "2024-02-02T00:00:00Z",
    }
