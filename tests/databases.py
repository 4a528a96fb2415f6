"""Databases with the tables of a service, for each test a copy."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

from candlelog.stores.migrations import migrate_postgres, migrations_directory
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


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
