"""Markets to compute features of, and what it means that two values are equal."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from candlelog.market.candles import Columns
from candlelog.market.feature_sets import FeatureSet, load_feature_sets
from candlelog.market.timeframe import Timeframe

REAL_DATA = Path(os.environ.get("CANDLELOG_REAL_DATA", Path(__file__).parents[5] / "shared/data"))

OSCILLATORS = ("rsi_14", "adx_14", "stochastic_k", "stochastic_d")
RATIOS = ("return", "log_return", "volatility_20", "volume_zscore_20", "bars_contiguous")

Market = tuple[Timeframe, Columns]
Wrong = Callable[[pa.RecordBatch, pa.RecordBatch, NDArray[np.float64]], dict[str, float]]


@pytest.fixture(scope="session")
def default_set() -> FeatureSet:
    """The built-in set."""
    return load_feature_sets(None)["default"]


@pytest.fixture(scope="session")
def wrong() -> Wrong:
    """Columns of two batches that differ by more than |a − b| ≤ 1e-9 · max(|b|, scale), and by
    how much: the scale is the close for what is a price, 100 for oscillators and 1 for the rest.
    """

    def compare(
        actual: pa.RecordBatch, expected: pa.RecordBatch, close: NDArray[np.float64]
    ) -> dict[str, float]:
        assert actual.schema.equals(expected.schema)
        found: dict[str, float] = {}
        for name in expected.schema.names[1:]:
            one, other = (
                batch[name].to_numpy(zero_copy_only=False) for batch in (actual, expected)
            )
            scale = 100.0 if name in OSCILLATORS else 1.0 if name in RATIOS else close
            if not np.array_equal(np.isnan(one), np.isnan(other)):
                found[name] = np.inf
                continue
            distance = np.abs(one - other) / np.maximum(np.abs(other), scale)
            worst = np.nanmax(distance, initial=0.0)
            if worst > 1e-9:
                found[name] = float(worst)
        return found

    return compare


@pytest.fixture(scope="session", params=["XBTUSD", "AVAXUSDT", "FILUSDT", "NEARUSDT"])
def real_market(request: pytest.FixtureRequest) -> Market:
    """Nine years of sparse hours of Kraken, and three months of dense minutes of Binance."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real market data in {REAL_DATA} (CANDLELOG_REAL_DATA)")
    if request.param == "XBTUSD":
        rows = np.loadtxt(REAL_DATA / "kraken/XBTUSD_60.csv", delimiter=",")
        return Timeframe.parse("1h"), columns(rows[:, 0] * 1000, rows[:, 1:6])
    folder = REAL_DATA / f"binance/futures/um/monthly/klines/{request.param}/1m"
    with zipfile.ZipFile(folder / f"{request.param}-1m-2024-02.zip") as archive:
        text = archive.read(archive.namelist()[0]).decode()
    rows = np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1)
    return Timeframe.parse("1m"), columns(rows[:, 0], rows[:, 1:6])


def columns(open_time: NDArray[np.float64], values: NDArray[np.float64]) -> Columns:
    """Candles of open times in milliseconds, and of open, high, low, close and volume."""
    return Columns(open_time.astype(np.int64), *np.ascontiguousarray(values.T))
