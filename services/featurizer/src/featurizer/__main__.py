"""`python -m featurizer`: settings, adapters, and the stream between the log and the log."""

from candlelog.entry import Runtime, run
from candlelog.stores.clickhouse import ClickHouse
from featurizer.adapters.candles import ClickHouseStored
from featurizer.checking import checked_feature_sets
from featurizer.settings import Settings
from featurizer.wiring import serve


async def main(runtime: Runtime, settings: Settings) -> None:
    """Compute features until told to stop."""
    feature_sets = checked_feature_sets(settings.feature_sets)
    clickhouse = ClickHouse(settings.clickhouse_url)
    runtime.health.check("clickhouse", clickhouse.ping)
    await serve(runtime, settings, ClickHouseStored(clickhouse), feature_sets)
    await clickhouse.close()


if __name__ == "__main__":
    run("featurizer", Settings, main)
