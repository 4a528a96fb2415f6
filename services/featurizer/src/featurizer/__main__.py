"""`python -m featurizer`: settings, adapters, and the stream between the log and the log."""

from candlelog.lifecycle import Runtime, run
from candlelog.market.feature_sets import load_feature_sets
from candlelog.stores.clickhouse import ClickHouse
from featurizer.adapters.candles import ClickHouseStored
from featurizer.domain.indicators import check
from featurizer.settings import Settings
from featurizer.wiring import serve


async def main(runtime: Runtime, settings: Settings) -> None:
    """Compute features until told to stop."""
    feature_sets = load_feature_sets(settings.feature_sets)
    for feature_set in feature_sets.versions.values():
        check(feature_set)
    clickhouse = ClickHouse(settings.clickhouse_url)
    runtime.health.check("clickhouse", clickhouse.ping)
    await serve(runtime, settings, ClickHouseStored(clickhouse), feature_sets)
    await clickhouse.close()


if __name__ == "__main__":
    run("featurizer", Settings, main)
