"""Migrations over tables that hold rows."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrations_directory

pytestmark = pytest.mark.connected

DIRECTORY = migrations_directory("clickhouse-sink")
FILES = sorted(DIRECTORY.glob("*.sql"))
_NAMES = "'binance' AS exchange, 'BTC/USDT' AS symbol, '1m' AS timeframe"
_VALUES = """
    toDateTime64('2024-02-01', 3, 'UTC') + toIntervalMinute(number) AS open_time,
    number + 1 AS open, number + 3 AS high, number + 1 AS low, number + 2 AS close, 5 AS volume,
    NULL AS quote_volume, 7 AS trades, 'rest' AS source, now64(3) AS observed_at"""
ROWS = {
    "candles": f"{_NAMES}, {_VALUES}",
    "candle_revisions": f"{_NAMES}, {_VALUES}",
    "coverage": f"""{_NAMES}, toDateTime64('2024-02-01', 3, 'UTC') AS start,
        start + toIntervalMinute(number + 1) AS end, 'rest' AS source, 'candles' AS outcome,
        generateUUIDv4() AS job_id, generateUUIDv4() AS chunk_id, now64(3) AS observed_at""",
    "quarantine": f"""{_NAMES}, NULL AS open_time, toString(number) AS raw, 'nan' AS reason,
        'rest' AS source, generateUUIDv4() AS job_id, generateUUIDv4() AS chunk_id,
        now64(3) AS observed_at""",
    "features": f"""{_NAMES}, 'default' AS feature_set, 1 AS version, 0 AS build,
        toDateTime64('2024-02-01', 3, 'UTC') + toIntervalMinute(number) AS open_time,
        number AS revision, number / 3 AS sma_7""",
    "feature_builds": f"""{_NAMES}, 'default' AS feature_set, 1 AS version, number AS build,
        'serving' AS state, 1 AS changed""",
}
"""What a row is, of a number."""


async def held(store: ClickHouse, tables: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
    """How many rows each holds, and a hash of all columns that the rows were given."""
    return {
        table: await store.query(
            f"SELECT count(), sum(cityHash64({', '.join(names_of(table))})) FROM {table}"
        )
        for table in tables
    }


def names_of(table: str) -> list[str]:
    return re.findall(r" AS (\w+)", ROWS[table])


@pytest.mark.parametrize("applied", range(1, len(FILES)), ids=lambda count: FILES[count - 1].stem)
async def test_what_was_stored_before_a_migration_is_there_behind_the_last(
    clickhouse_url: str, tmp_path: Path, applied: int
):
    for file in FILES[:applied]:
        shutil.copy(file, tmp_path)
    store = ClickHouse(clickhouse_url)
    await migrate_clickhouse(store, tmp_path)
    tables = {name for (name,) in await store.query("SHOW TABLES")} & ROWS.keys()
    for table in tables:
        columns = ", ".join(names_of(table))
        await store.command(f"INSERT INTO {table} ({columns}) SELECT {ROWS[table]} FROM numbers(9)")
    before = await held(store, tables)
    await migrate_clickhouse(store, DIRECTORY)
    after = await held(store, tables)
    await store.close()
    assert (after, {rows[0][0] for rows in after.values()}) == (before, {9})
