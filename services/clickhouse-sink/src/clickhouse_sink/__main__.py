"""`python -m clickhouse_sink`: settings, adapters, and the loops between the log and ClickHouse."""

from candlelog.lifecycle import Runtime, run
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrations_directory
from clickhouse_sink.adapters.clickhouse import ClickHouseTables
from clickhouse_sink.adapters.features import ClickHouseFeatureTables
from clickhouse_sink.settings import Settings
from clickhouse_sink.wiring import Sink


async def main(runtime: Runtime, settings: Settings) -> None:
    """Store candles and features until told to stop."""
    clickhouse = ClickHouse(settings.clickhouse_url)
    await migrate_clickhouse(clickhouse, migrations_directory("clickhouse-sink"))
    runtime.health.check("clickhouse", clickhouse.ping)
    tables = ClickHouseTables(clickhouse)
    await Sink(runtime, settings, tables, ClickHouseFeatureTables(clickhouse, runtime.clock)).run()
    await clickhouse.close()


if __name__ == "__main__":
    run("clickhouse-sink", Settings, main)
