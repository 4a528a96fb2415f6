"""`python -m clickhouse_sink`: settings, adapters, and the loop between the log and ClickHouse."""

import asyncio

from candlelog.events.topics import CANDLES
from candlelog.lifecycle import VERSION, Runtime, run
from candlelog.log.consume import ConsumeLoop
from candlelog.log.dead_letters import DeadLetters
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrations_directory
from clickhouse_sink.adapters.clickhouse import ClickHouseTables
from clickhouse_sink.handlers.batches import StoreBatches
from clickhouse_sink.handlers.watermarks import Watermarks, repeat
from clickhouse_sink.settings import Settings


async def main(runtime: Runtime, settings: Settings) -> None:
    """Store candles until told to stop."""
    clickhouse, watermarks = ClickHouse(settings.clickhouse_url), Watermarks()
    await migrate_clickhouse(clickhouse, migrations_directory("clickhouse-sink"))
    publisher, clock, stopping = runtime.publisher, runtime.clock, runtime.stopping
    tables = ClickHouseTables(clickhouse)
    store = StoreBatches(tables, publisher, watermarks, clock=clock, max_rows=settings.flush_rows)
    letters = DeadLetters(publisher, service=runtime.service, version=VERSION)
    async with runtime.log.consumer(runtime.topics(CANDLES.name), runtime.group) as consumer:
        loop = ConsumeLoop(consumer, store, letters, clock=clock, batch=settings.batch)
        runtime.health.check("clickhouse", clickhouse.ping)
        runtime.health.watch_lag(lambda: loop.lag)
        runtime.health.started()
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run(stopping))
            group.create_task(repeat(watermarks, publisher, stopping, settings.watermark_seconds))
    await clickhouse.close()


if __name__ == "__main__":
    run("clickhouse-sink", Settings, main)
