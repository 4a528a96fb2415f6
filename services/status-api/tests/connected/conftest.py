"""A replica of the status API over the real stores, served by uvicorn on a loopback port."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Set
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn
from tests.databases import clickhouse_database, clickhouse_database_url, database, empty
from tests.topics import topics_under

from candlelog.clock import SystemClock
from candlelog.events.markets import Market, MarketsListedV1
from candlelog.health import Health, health_app
from candlelog.lifecycle import Runtime
from candlelog.log.kafka import KafkaLog
from candlelog.log.ports import Tail
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_postgres, migrations_directory
from candlelog.stores.postgres import Pool, connect
from status_api.adapters.history import History
from status_api.adapters.projection_store import PostgresProjectionStore
from status_api.domain.tokens import parse_tokens
from status_api.handlers.app import application
from status_api.handlers.context import Context
from status_api.handlers.markets import Markets
from status_api.settings import Settings
from status_api.wiring import Replica

T = TypeVar("T")

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

MINE = """
name: mine
version: {version}
features:
  - {{indicator: RSI, parameters: {{timeperiod: 5}}, columns: [{column}]}}
"""


class Folds:
    """Tells those who wait whenever a replica has folded a batch."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def tell(self) -> None:
        """A batch is folded."""
        self._next.set()
        self._next = asyncio.Event()

    async def until(self, look: Callable[[], Awaitable[T]]) -> T:
        """What a look finds as soon as it finds something: it looks again after every batch."""
        async with asyncio.timeout(240):
            while True:
                told = self._next  # of before the look: what is folded during it counts as well
                if found := await look():
                    return found
                await told.wait()


class ToldStore(PostgresProjectionStore):
    """The store, which tells when a batch is in it."""

    def __init__(self, pool: Pool, folds: Folds) -> None:
        super().__init__(pool)
        self._folds = folds

    @asynccontextmanager
    async def transaction(self, partitions: Set[Partition]) -> AsyncGenerator[Any]:
        """Begin a batch; it is told of once it is committed."""
        async with super().transaction(partitions) as transaction:
            yield transaction
        self._folds.tell()


@dataclass(frozen=True)
class Stores:
    """What replicas share."""

    bootstrap: str
    prefix: str
    dsn: str
    clickhouse: ClickHouse
    folds: Folds = field(default_factory=Folds)


@dataclass
class Projecting:
    """A running replica that serves nobody."""

    pool: Pool
    publisher: Publisher
    log: KafkaLog
    prefix: str
    clickhouse: ClickHouse
    folds: Folds
    runtime: Runtime
    context: Context

    @property
    def stopping(self) -> asyncio.Event:
        """Tells the replica to stop."""
        return self.runtime.stopping

    @property
    def markets(self) -> Markets:
        """The markets it knows."""
        return self.context.markets


@dataclass
class Served(Projecting):
    """A running replica, and a client of it whose token may submit."""

    url: str
    http: httpx.AsyncClient
    tail: Tail | None = None
    """Reads the commands, each once, for as long as the replica is there."""
    begin: dict[Partition, int] = field(default_factory=dict)
    """Where the commands of the running test begin."""
    began: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    _commands: list[Any] = field(default_factory=list)

    async def begin_test(self) -> None:
        """Whatever is on the log by now is not of the test."""
        await self.commands()
        self._commands.clear()
        assert self.tail is not None
        self.begin = dict(await self.tail.positions())
        self.began = datetime.now(UTC)

    async def commands(self) -> list[Any]:
        """Every command on the log since the test began."""
        assert self.tail is not None
        ends = await self.tail.end()
        while any(at < ends[each] for each, at in (await self.tail.positions()).items()):
            records = await self.tail.poll(max_records=500, timeout=1)
            self._commands += [receive(each).event for each in records]
        return list(self._commands)

    async def jobs(self, **query: Any) -> list[dict[str, Any]]:
        """The jobs that were submitted since the test began."""
        answer = await self.http.get("/jobs", params={"since": self.began.isoformat(), **query})
        return answer.json()["items"]


@asynccontextmanager
async def projecting(
    stores: Stores, dsn: str | None = None, **settings: str
) -> AsyncGenerator[Projecting]:
    """A replica of which nobody asks anything: without its pages, which take most of a start."""
    log, clock, health = KafkaLog(stores.bootstrap), SystemClock(), Health()
    prefix = stores.prefix
    async with (
        log.producer() as producer,
        connect(dsn or stores.dsn, schema="status", max_size=8) as pool,
    ):
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
        made = Replica(
            runtime,
            pool=pool,
            store=ToldStore(pool, stores.folds),
            history=History(stores.clickhouse),
            settings=Settings(CANDLELOG_KAFKA_BOOTSTRAP=stores.bootstrap, **settings),
        )
        running = asyncio.create_task(made.run())
        while await health.failing():
            await asyncio.sleep(0.02)
            if running.done():
                running.result()
        yield Projecting(
            pool, publisher, log, prefix, stores.clickhouse, stores.folds, runtime, made.context
        )
        runtime.stopping.set()
        await asyncio.wait_for(running, 60)


@asynccontextmanager
async def replica(stores: Stores, **settings: str) -> AsyncGenerator[Served]:
    """A replica with its pages."""
    async with projecting(stores, **settings) as made:
        app = made.runtime.http
        app.mount("/", application(made.context, parse_tokens(TOKENS), "test"))
        config = uvicorn.Config(
            app, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
            if serving.done():
                serving.result()
        port = server.servers[0].sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {SECRETS['author']}"}
        async with httpx.AsyncClient(
            base_url=f"{address}/api/v1", headers=headers, timeout=20, trust_env=False
        ) as http:
            yield Served(**vars(made), url=address, http=http)
        made.stopping.set()
        server.should_exit = True
        await asyncio.wait_for(serving, 60)


@asynccontextmanager
async def log_and_database(
    bootstrap: str, postgres: str, engine: ClickHouse
) -> AsyncGenerator[Stores]:
    """Topics and a database of their own for some replicas."""
    name = f"status_{uuid.uuid4().hex[:8]}"
    async with database(postgres, name) as dsn, topics_under(bootstrap, f"{name}."):
        yield Stores(bootstrap, f"{name}.", dsn, engine)


@pytest.fixture(scope="session")
async def engine(clickhouse_server_url: str) -> AsyncGenerator[ClickHouse]:
    """A database of the engine, which all replicas read; those who fill it empty it again."""
    async with clickhouse_database(clickhouse_database_url(clickhouse_server_url, "status")) as it:
        yield it


@pytest.fixture(scope="module")
async def emptied(engine: ClickHouse) -> AsyncGenerator[None]:
    """Leaves the engine to the next module as empty as it was found."""
    yield
    await empty(engine)


@pytest.fixture(scope="session")
async def shared(
    kafka_bootstrap: str, postgres_server_dsn: str, engine: ClickHouse
) -> AsyncGenerator[Stores]:
    """The stores of all modules: topics, and replicas that join their groups, take more processor
    time than most tests."""
    async with log_and_database(kafka_bootstrap, postgres_server_dsn, engine) as stores:
        yield stores


@pytest.fixture
async def serve(shared: Stores) -> AsyncGenerator[Callable[[], Awaitable[Served]]]:
    """Starts replicas beside those that all tests share; they end with the test."""
    async with AsyncExitStack() as stack:
        yield lambda: stack.enter_async_context(replica(shared))


@pytest.fixture
async def project_alone(
    kafka_bootstrap: str, postgres_server_dsn: str, engine: ClickHouse
) -> AsyncGenerator[Callable[..., Awaitable[Projecting]]]:
    """Starts replicas that serve nobody, on a log and a database that no other test has, or on
    another database where a DSN is given."""
    async with (
        log_and_database(kafka_bootstrap, postgres_server_dsn, engine) as stores,
        AsyncExitStack() as stack,
    ):
        yield lambda dsn=None: stack.enter_async_context(projecting(stores, dsn))


@pytest.fixture(scope="session")
async def first(shared: Stores) -> AsyncGenerator[Served]:
    """A replica that knows the markets of Binance."""
    async with replica(shared) as served:
        topics = [f"{served.prefix}jobs.commands"]
        async with served.log.tail(topics, start="beginning") as tail:
            served.tail = tail
            await served.publisher.publish(MARKETS)
            yield served


@pytest.fixture(scope="session")
async def second(
    shared: Stores, first: Served, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Served]:
    """Another replica on the same stores, which knows two versions of a feature set more."""
    folder = tmp_path_factory.mktemp("sets")
    (folder / "old.yaml").write_text(MINE.format(version=1, column="never_seen"))
    (folder / "new.yaml").write_text(MINE.format(version=2, column="not_seen_either"))
    async with replica(shared, CANDLELOG_FEATURE_SETS=str(folder)) as served:
        yield served


@pytest.fixture
async def api(first: Served) -> Served:
    """The replica, with nothing on the log that this test has not put there."""
    await first.begin_test()
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
