"""`python -m clickhouse_sink`: settings, adapters, and the loops between the log and ClickHouse."""

from candlelog.entry import Runtime, run
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrations_directory
from candlelog.stores.shadow import SHADOW
from clickhouse_sink.adapters.features import ClickHouseFeatureTables
from clickhouse_sink.adapters.sets import ClickHouseSets
from clickhouse_sink.settings import Settings
from clickhouse_sink.wiring import Sink


async def main(runtime: Runtime, settings: Settings) -> None:
    """Store candles and features until told to stop."""
    clickhouse = ClickHouse(settings.clickhouse_url)
    await migrate_clickhouse(clickhouse, migrations_directory("clickhouse-sink"))
    runtime.health.check("clickhouse", clickhouse.ping)
    shadow = ClickHouse(settings.clickhouse_url.rstrip("/") + SHADOW)
    sets = ClickHouseSets(clickhouse, shadow)
    await Sink(runtime, settings, sets, ClickHouseFeatureTables(clickhouse, runtime.clock)).run()
    await shadow.close()
    await clickhouse.close()


if __name__ == "__main__":
    run("clickhouse-sink", Settings, main)
