"""`python -m coordinator`: settings, adapters, and the loops over them."""

from random import Random

from candlelog.entry import Runtime, run
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_postgres, migrations_directory
from candlelog.stores.outbox import Relay
from candlelog.stores.postgres import connect
from candlelog.stores.transactions import Transactions
from coordinator.adapters.changes import ClickHouseChanges
from coordinator.adapters.coverage import ClickHouseCoverage
from coordinator.adapters.listings import Listings
from coordinator.adapters.stock import ClickHouseStock
from coordinator.settings import Settings
from coordinator.wiring import Coordinator


async def main(runtime: Runtime, settings: Settings) -> None:
    """Coordinate until told to stop."""
    clickhouse = ClickHouse(settings.clickhouse_url)
    async with connect(settings.postgres_dsn, schema=runtime.service, max_size=8) as pool:
        await migrate_postgres(pool, runtime.service, migrations_directory(runtime.service))
        runtime.health.check("postgres", lambda: pool.fetchval("SELECT 1"))
        await Coordinator(
            Transactions(pool, runtime.publisher),
            ClickHouseCoverage(clickhouse),
            ClickHouseStock(clickhouse),
            ClickHouseChanges(clickhouse),
            listings=Listings.at(settings.archive_roots, runtime.clock),
            relay=Relay(pool, runtime.publisher),
            tick_seconds=settings.tick_seconds,
            random=Random(),
        ).run(runtime)
    await clickhouse.close()


if __name__ == "__main__":
    run("coordinator", Settings, main)
