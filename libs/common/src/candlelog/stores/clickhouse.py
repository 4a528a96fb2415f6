"""ClickHouse over HTTP: clickhouse-connect in threads, and outages mapped once."""

import asyncio
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from urllib3.exceptions import HTTPError

from candlelog.errors import Misconfigured, Unavailable

T = TypeVar("T")

_THREADS: Final = 8
_CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 30
"""How long one waits for an answer, or for more of it."""

_SETTINGS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        # An insert that was answered is in the table.
        "async_insert": 0,
        # A flush reaches over many months; refused, it would be tried for ever.
        "max_partitions_per_insert_block": 0,
        # Rows are told apart when they are read. A merge of each block by itself, as it comes in,
        # finds next to nothing and takes a quarter of the time of an insert.
        "optimize_on_insert": 0,
        # Statements have values of their own, so that machine code made for one is of no use to
        # another. Making it took a tenth of the engine's time where many tasks are audited.
        "compile_expressions": 0,
    }
)

_OUTAGES: Final = frozenset(
    {
        3,  # unexpected end of file
        16,  # no such column: migrations are on their way, or another table took this one's place
        32,  # attempt to read after eof
        60,  # unknown table: the sink has not migrated yet
        81,  # unknown database: the same
        159,  # timeout exceeded
        202,  # too many simultaneous queries
        209,  # socket timeout
        210,  # network error
        236,  # aborted
        241,  # memory limit exceeded
        242,  # table is read only
        243,  # not enough space
        252,  # too many parts
        279,  # all connection tries failed
        285,  # too few live replicas
        319,  # unknown status of insert
        394,  # query was cancelled
        439,  # cannot schedule task
        745,  # server overloaded
        999,  # keeper exception
    }
)
"""Error codes that mean "not now": the same statement may work later."""
_REFUSED_REQUEST: Final = "HTTP status 4"


class ClickHouse:
    """Statements for one database. Connects at the first one; safe to share between tasks.

    Values are bound as parameters, `{name:Type}` in the SQL; times come back aware, in UTC.
    Every method raises `Unavailable` when the server is away or says "not now".
    """

    def __init__(self, url: str) -> None:
        self._address = _Address(url)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="clickhouse")
        self._lock = Lock()
        self._connected: Client | None = None

    @property
    def database(self) -> str:
        """The name of the database: letters, digits and underscores."""
        return self._address.database

    async def ensure_database(self) -> None:
        """Create the database of the URL where it is missing."""
        await self._run(self._create_database)

    async def query(self, sql: str, **params: object) -> list[tuple[Any, ...]]:
        """The rows of a SELECT."""
        return await self._run(
            lambda: [tuple(row) for row in self._client().query(sql, params).result_rows]
        )

    async def query_arrow(self, sql: str, **params: object) -> pa.Table:
        """The rows of a SELECT as columns; text comes as Arrow strings."""
        return await self._run(
            lambda: self._client().query_arrow(sql, params or None, use_strings=True)
        )

    async def insert_arrow(self, table: str, rows: pa.Table) -> None:
        """Append rows by the names of their columns; done means durable in the table."""
        await self._run(lambda: self._client().insert_arrow(table, rows))

    async def command(self, sql: str, **params: object) -> None:
        """Run one statement that returns no rows."""
        await self._run(lambda: self._client().command(sql, params or None))

    async def ping(self) -> None:
        """Return when the server answers."""
        await self.query("SELECT 1")

    async def close(self) -> None:
        """Wait for what is running and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        if self._connected is not None:
            self._connected.close()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _guarded, work)

    def _client(self) -> Client:
        with self._lock:
            if self._connected is None:
                self._connected = self._address.connect(self._address.database)
            return self._connected

    def _create_database(self) -> None:
        client = self._address.connect("default")
        try:
            client.command(f"CREATE DATABASE IF NOT EXISTS `{self._address.database}`")
        finally:
            client.close()


class _Address:
    """Where the server is, from `http://user:password@host:port/database`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.database = parts.path.strip("/")
        named = self.database.replace("_", "a").isalnum()
        if parts.scheme not in ("http", "https") or not parts.hostname or not named:
            raise Misconfigured(
                "the ClickHouse URL must read http://user:password@host:port/database"
            )
        self._options: dict[str, Any] = {
            "interface": parts.scheme,
            "host": parts.hostname,
            "port": parts.port or 8123,
            "username": unquote(parts.username or "default"),
            "password": unquote(parts.password or ""),
        }

    def connect(self, database: str) -> Client:
        """A client without a session, so that its queries may run at the same time."""
        return clickhouse_connect.get_client(
            **self._options,
            database=database,
            autogenerate_session_id=False,
            compress=False,
            connect_timeout=_CONNECT_SECONDS,
            send_receive_timeout=ANSWER_SECONDS,
            tz_mode="aware",
            settings=dict(_SETTINGS),
            dedicated_pool=True,
        )


def _guarded(work: Callable[[], T]) -> T:
    with _outages():
        return work()


@contextmanager
def _outages() -> Generator[None]:
    try:
        yield
    except (HTTPError, OSError, OperationalError) as error:
        raise Unavailable(f"ClickHouse: {error}") from error
    except DatabaseError as error:
        if _means_not_now(error):
            raise Unavailable(f"ClickHouse: {error}") from error
        raise


def _means_not_now(error: DatabaseError) -> bool:
    if error.code is None:  # not the engine spoke, but what stands before it
        return _REFUSED_REQUEST not in str(error)
    return error.code in _OUTAGES
