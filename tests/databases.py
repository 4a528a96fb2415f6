"""Databases with the tables of a service: of Postgres for each test a copy, of ClickHouse one that
tests share and empty."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrate_postgres, migrations_directory
from candlelog.stores.postgres import connect

EMPTY = "template1"


@asynccontextmanager
async def database(server: str, name: str, *, template: str = EMPTY) -> AsyncGenerator[str]:
    """The DSN of a database for a while: a copy of `template`.

    Its files are copied. Postgres would else write each page to its log, at ten times the cost.
    """
    await _execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield server.removesuffix("/postgres") + f"/{name}"
    finally:
        await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def template_of(server: str, service: str, *, schema: str) -> AsyncGenerator[str]:
    """The name of a database in which the migrations of a service were applied."""
    name = f"{schema}_{uuid4().hex[:8]}"
    async with database(server, name) as dsn:
        async with connect(dsn, schema=schema) as pool:
            await migrate_postgres(pool, schema, migrations_directory(service))
        yield name


def clickhouse_database_url(server: str, prefix: str) -> str:
    """The URL of a database that nobody else has; `server` is that of the engine's own."""
    return server.removesuffix("/default") + f"/{prefix}_{uuid4().hex[:8]}"


@asynccontextmanager
async def clickhouse_database(url: str) -> AsyncGenerator[ClickHouse]:
    """A database of ClickHouse for a while, with the tables of the sink. To migrate one takes half
    a second of a processor, to empty it a hundredth of one."""
    store = ClickHouse(url)
    await migrate_clickhouse(store, migrations_directory("clickhouse-sink"))
    try:
        yield store
    finally:
        await store.command(f"DROP DATABASE {store.database} SYNC")
        await store.close()


async def empty(store: ClickHouse) -> None:
    """Leave no row in any table; what was migrated stays."""
    rows = f"ALL TABLES FROM {store.database} NOT LIKE 'schema_migrations'"
    await store.command(f"TRUNCATE {rows}")


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
