"""`python -m gap_auditor`: settings, adapters, and the loops over them."""

from candlelog.entry import Runtime, run
from candlelog.stores.clickhouse import ANSWER_SECONDS, ClickHouse
from candlelog.stores.migrations import migrate_postgres, migrations_directory
from candlelog.stores.outbox import Relay
from candlelog.stores.postgres import connect
from candlelog.stores.transactions import Transactions
from gap_auditor.adapters.slots import ClickHouseSlots
from gap_auditor.settings import Settings
from gap_auditor.wiring import GapAuditor

SCHEMA = "auditor"
IDLE_SECONDS = ANSWER_SECONDS + 15
"""Slots are asked for inside a transaction, whose locks say who has read last."""


async def main(runtime: Runtime, settings: Settings) -> None:
    """Audit until told to stop."""
    clickhouse = ClickHouse(settings.clickhouse_url)
    async with connect(settings.postgres_dsn, schema=SCHEMA, idle_seconds=IDLE_SECONDS) as pool:
        await migrate_postgres(pool, SCHEMA, migrations_directory("gap-auditor"))
        auditor = GapAuditor(
            Transactions(pool, runtime.publisher),
            ClickHouseSlots(clickhouse, runtime.clock),
            Relay(pool, runtime.publisher),
            tick_seconds=settings.tick_seconds,
        )
        runtime.health.check("postgres", lambda: pool.fetchval("SELECT 1"))
        runtime.health.check("clickhouse", clickhouse.ping)
        await auditor.run(runtime)
    await clickhouse.close()


if __name__ == "__main__":
    run("gap-auditor", Settings, main)
