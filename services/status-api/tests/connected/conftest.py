"""A replica of the status API over the real stores, served by uvicorn on a loopback port."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
import uvicorn

from candlelog.clock import SystemClock
from candlelog.events.markets import Market, MarketsListedV1
from candlelog.health import Health, health_app
from candlelog.lifecycle import Runtime
from candlelog.log.kafka import KafkaLog
from candlelog.log.publish import Publisher
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrate_postgres, migrations_directory
from candlelog.stores.postgres import Pool, connect
from status_api.adapters.changes import ChangeReader
from status_api.adapters.history import History
from status_api.adapters.jobs import JobReader
from status_api.adapters.projection_store import PostgresProjectionStore
from status_api.domain.tokens import parse_tokens
from status_api.handlers.app import application
from status_api.settings import Settings
from status_api.wiring import Replica

SECRETS = {"reader": "r-secret", "author": "s-secret", "boss": "a-secret"}
SCOPES = {"reader": "read", "author": "submit", "boss": "admin"}
TOKENS = ";".join(
    f"{name}:{SCOPES[name]}:{hashlib.sha256(secret.encode()).hexdigest()}"
    for name, secret in SECRETS.items()
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


Serve = Callable[[], Awaitable[Served]]


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
            yield Served(address, http, pool, publisher, log, prefix, clickhouse, runtime.stopping)
        runtime.stopping.set()
        server.should_exit = True
        await asyncio.wait_for(asyncio.gather(*running), 15)
    await clickhouse.close()


@pytest.fixture
async def serve(
    kafka_bootstrap: str, topics: str, postgres_dsn: str, clickhouse_url: str
) -> AsyncGenerator[Serve]:
    """Starts replicas on one set of stores."""
    clickhouse = ClickHouse(clickhouse_url)
    await migrate_clickhouse(clickhouse, migrations_directory("clickhouse-sink"))
    await clickhouse.close()
    async with AsyncExitStack() as stack:
        yield lambda: stack.enter_async_context(
            replica(kafka_bootstrap, topics, postgres_dsn, clickhouse_url)
        )


@pytest.fixture
async def api(serve: Serve) -> Served:
    """One replica that knows the markets of Binance."""
    served = await serve()
    listed = MarketsListedV1(
        exchange="binance",
        markets=tuple(
            Market(symbol=symbol, active=True) for symbol in ("BTC/USDT", "ETH/USDT", "ETH/BTC")
        ),
        listed_at=datetime.now(UTC),
    )
    await served.publisher.publish(listed)
    return served


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
