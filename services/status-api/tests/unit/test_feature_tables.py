"""Which feature sets there are, and what is read of one."""

from pathlib import Path

import pytest

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.market.feature_sets import load_feature_sets
from status_api.adapters.series_tables import features_of
from status_api.settings import Settings

MINE = """
name: mine
version: 3
features:
  - {indicator: RSI, parameters: {timeperiod: 5}, columns: [rsi_5]}
  - {indicator: EMA, parameters: {timeperiod: 9}, columns: [ema_9]}
"""


@pytest.mark.parametrize("folder", ["", None])
def test_without_a_folder_there_are_no_further_sets(folder: str | None):
    settings = Settings(CANDLELOG_KAFKA_BOOTSTRAP="k", CANDLELOG_FEATURE_SETS=folder)
    assert settings.feature_sets is None


def test_a_set_of_ones_own_is_read_in_the_order_of_its_columns(tmp_path: Path):
    (tmp_path / "mine.yaml").write_text(MINE)
    settings = Settings(CANDLELOG_KAFKA_BOOTSTRAP="k", CANDLELOG_FEATURE_SETS=str(tmp_path))
    sets = load_feature_sets(settings.feature_sets)
    table = features_of(sets["mine"], FeatureBuildRef(version=3, build=1), {"rsi_5", "ema_9"})
    assert table.columns[4:] == ("feature_set", "version", "rsi_5", "ema_9")
    assert "`rsi_5`, `ema_9` FROM features FINAL" in table.statement
    assert "feature_set = {feature_set:String} AND version = {version:UInt32}" in table.statement
    assert table.only == {"feature_set": "mine", "version": 3, "build": 1}
