"""`python -m status_api`: settings, adapters, and the replica over them."""

from candlelog.entry import Runtime, run
from candlelog.lifecycle import VERSION
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_postgres, migrations_directory
from candlelog.stores.postgres import connect
from status_api.adapters.history import History
from status_api.adapters.projection_store import PostgresProjectionStore
from status_api.domain.tokens import parse_tokens
from status_api.handlers.app import application
from status_api.settings import Settings
from status_api.wiring import Replica


async def main(runtime: Runtime, settings: Settings) -> None:
    """Project and serve until told to stop."""
    tokens = parse_tokens(settings.api_tokens)
    clickhouse = ClickHouse(settings.clickhouse_url)
    async with connect(settings.postgres_dsn, schema="status", max_size=16) as pool:
        await migrate_postgres(pool, "status", migrations_directory("status-api"))
        replica = Replica(
            runtime,
            pool=pool,
            store=PostgresProjectionStore(pool),
            history=History(clickhouse),
            settings=settings,
        )
        runtime.http.mount("/", application(replica.context, tokens, VERSION))
        await replica.run()
    await clickhouse.close()


if __name__ == "__main__":
    run("status-api", Settings, main)
