"""Migrations: numbered SQL files of a service, applied once each and in order.

Postgres applies a run in one transaction under an advisory lock. ClickHouse has neither: there
each statement is idempotent by itself (`IF NOT EXISTS`, `OR REPLACE`), so that a run cut short, or
two runs at once, end in the same tables; a statement ends with `;` at the end of a line.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from candlelog.errors import Misconfigured
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.postgres import Pool, outages

_SERVICES: Final = Path(__file__).parents[5] / "services"
_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name, and the text it had when it was read."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_directory(service: str) -> Path:
    """Where the migrations of a service lie: `services/<service>/migrations` of the tree.

    `CANDLELOG_MIGRATIONS` names another folder to stand for `services`.
    """
    return Path(os.environ.get("CANDLELOG_MIGRATIONS", _SERVICES)) / service / "migrations"


def read_migrations(directory: Path) -> list[Migration]:
    """The files of a directory by number; `Misconfigured` where they are not 1, 2, 3 …"""
    found: list[Migration] = []
    for path in sorted(directory.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None or int(match[1]) != len(found) + 1:
            raise Misconfigured(f"{path} is out of line: migrations are 0001_name.sql, 0002_…")
        found.append(Migration(len(found) + 1, path.stem, path.read_text()))
    if not found:
        raise Misconfigured(f"there are no migrations in {directory}")
    return found


def pending(migrations: list[Migration], applied: dict[int, str]) -> list[Migration]:
    """What is still to be applied, given the checksums of what was.

    `Misconfigured` where a file was changed after it had been applied.
    """
    for migration in migrations:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise Misconfigured(
                f"migration {migration.name} was changed after it had been applied; add a new one"
            )
    return [migration for migration in migrations if migration.version not in applied]


_POSTGRES_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


async def migrate_postgres(pool: Pool, schema: str, directory: Path) -> None:
    """Bring `schema` up to date, creating it where it is missing."""
    migrations = read_migrations(directory)
    with outages():
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('candlelog.migrations', 0))"
            )
            await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            await connection.execute(f'SET LOCAL search_path TO "{schema}"')
            await connection.execute(_POSTGRES_TABLE)
            rows = await connection.fetch("SELECT version, checksum FROM schema_migrations")
            applied = {row["version"]: row["checksum"] for row in rows}
            for migration in pending(migrations, applied):
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
                    migration.version,
                    migration.name,
                    migration.checksum,
                )


_CLICKHOUSE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version UInt32, name String, checksum String
) ENGINE = ReplacingMergeTree ORDER BY version
"""


async def migrate_clickhouse(clickhouse: ClickHouse, directory: Path) -> None:
    """Bring the database up to date, creating it where it is missing."""
    migrations = read_migrations(directory)
    await clickhouse.ensure_database()
    await clickhouse.command(_CLICKHOUSE_TABLE)
    rows = await clickhouse.query("SELECT version, checksum FROM schema_migrations FINAL")
    for migration in pending(migrations, dict(rows)):
        for statement in statements(migration.sql):
            await clickhouse.command(statement)
        applied = {
            "version": pa.array([migration.version], pa.uint32()),
            "name": [migration.name],
            "checksum": [migration.checksum],
        }
        await clickhouse.insert_arrow("schema_migrations", pa.table(applied))


def statements(sql: str) -> list[str]:
    """The statements of a file, without their semicolons."""
    parts = re.split(r";[ \t]*(?:\n|$)", sql)
    return [part.strip() for part in parts if part.strip()]
