import asyncio
from pathlib import Path

import pytest

from candlelog.errors import Misconfigured
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrate_postgres, migrations_directory
from candlelog.stores.postgres import connect

pytestmark = pytest.mark.connected

_TABLE = "CREATE TABLE {name} (a int);"


def write(directory: Path, **files: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / f"{name.removeprefix('m')}.sql").write_text(text)
    return directory


async def test_postgres_migrations_are_applied_once_in_their_schema(postgres_dsn, tmp_path):
    directory = write(tmp_path, m0001_a=_TABLE.format(name="one"))
    async with connect(postgres_dsn, schema="mine") as pool:
        await migrate_postgres(pool, "mine", directory)
        write(tmp_path, m0002_b="ALTER TABLE one ADD COLUMN b int; CREATE INDEX ON one (b);")
        await asyncio.gather(*(migrate_postgres(pool, "mine", directory) for _ in range(3)))
        await pool.execute("INSERT INTO mine.one (a, b) VALUES (1, 2)")
        names = await pool.fetch("SELECT name FROM mine.schema_migrations ORDER BY version")
    assert [row["name"] for row in names] == ["0001_a", "0002_b"]


async def test_a_failing_postgres_migration_leaves_nothing_behind(postgres_dsn, tmp_path):
    directory = write(tmp_path, m0001_a=_TABLE.format(name="one"), m0002_b="SELECT 1 / 0;")
    async with connect(postgres_dsn, schema="mine") as pool:
        with pytest.raises(Exception, match="division by zero"):
            await migrate_postgres(pool, "mine", directory)
        assert await pool.fetchval("SELECT to_regclass('mine.one')") is None


async def test_a_changed_postgres_migration_is_refused(postgres_dsn, tmp_path):
    directory = write(tmp_path, m0001_a=_TABLE.format(name="one"))
    async with connect(postgres_dsn, schema="mine") as pool:
        await migrate_postgres(pool, "mine", directory)
        write(tmp_path, m0001_a=_TABLE.format(name="other"))
        with pytest.raises(Misconfigured, match="0001_a was changed"):
            await migrate_postgres(pool, "mine", directory)


async def test_the_tables_of_clickhouse_are_made_by_two_runs_at_once(clickhouse_url):
    stores = [ClickHouse(clickhouse_url) for _ in range(2)]
    directory = migrations_directory("clickhouse-sink")
    await asyncio.gather(*(migrate_clickhouse(store, directory) for store in stores))
    tables = await stores[0].query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name"
    )
    applied = await stores[0].query("SELECT count() FROM schema_migrations FINAL")
    for store in stores:
        await store.close()
    assert [name for (name,) in tables] == [
        "candle_revisions", "candles", "candles_latest", "coverage", "feature_builds", "features",
        "features_latest", "quarantine", "schema_migrations",
    ]  # fmt: skip
    assert applied == [(len(list(directory.glob("*.sql"))),)]


async def test_clickhouse_migrations_keep_what_is_stored(clickhouse_url, tmp_path):
    directory = write(
        tmp_path,
        m0001_a="CREATE TABLE IF NOT EXISTS kept (a UInt8) ENGINE = MergeTree ORDER BY a;",
    )
    store = ClickHouse(clickhouse_url)
    await migrate_clickhouse(store, directory)
    await store.command("INSERT INTO kept VALUES (1)")
    write(tmp_path, m0002_b="ALTER TABLE kept ADD COLUMN IF NOT EXISTS b UInt8;")
    for _ in range(2):
        await migrate_clickhouse(store, directory)
    assert await store.query("SELECT a, b FROM kept") == [(1, 0)]
    await store.close()
