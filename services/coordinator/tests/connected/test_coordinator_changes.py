"""What ClickHouse says of a shadow that is not there."""

import pytest

from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrations_directory
from coordinator.adapters.changes import ClickHouseChanges

pytestmark = pytest.mark.connected


async def test_without_a_shadow_there_is_nothing_to_compare(clickhouse_url: str):
    clickhouse = ClickHouse(clickhouse_url)
    await migrate_clickhouse(clickhouse, migrations_directory("clickhouse-sink"))
    changes = ClickHouseChanges(clickhouse)
    assert await changes.spans() is None
    await clickhouse.command(f"CREATE DATABASE {clickhouse.database}_shadow")
    assert await changes.spans() is None
    await clickhouse.command(f"CREATE TABLE {clickhouse.database}_shadow.candles AS candles")
    assert await changes.spans() == []
    await clickhouse.command(f"DROP DATABASE {clickhouse.database}_shadow SYNC")
    await clickhouse.close()
