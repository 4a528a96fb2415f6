"""Features of candles, column by column."""

from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from candlelog.events.features import feature_schema
from candlelog.market.candles import Columns
from candlelog.market.feature_sets import FeatureSet
from candlelog.market.timeframe import Timeframe
from featurizer.domain.indicators import calculation

_ONE_MS: Final = timedelta(milliseconds=1)


class Computation:
    """A feature set, ready to be computed; `Invalid` if one of its indicators cannot be."""

    def __init__(self, feature_set: FeatureSet) -> None:
        self._calculations: Final = [calculation(each) for each in feature_set.features]
        self._schema: Final = feature_schema(list(feature_set.columns))

    def compute(self, timeframe: Timeframe, candles: Columns) -> pa.RecordBatch:
        """The features of each candle: `feature_schema` of the columns of the set, in their order.

        `candles`: rows of one series that follow each other in it, in order. A value is that of a
        row of the series if the rows begin with the series, or W − 1 of them lie before it. It is
        null where an indicator has too few rows yet, and where it has no finite value.
        """
        columns: dict[str, NDArray[Any]] = {
            "open": candles.open,
            "high": candles.high,
            "low": candles.low,
            "close": candles.close,
            "volume": candles.volume,
            "slot": slots(candles.open_time, timeframe),
        }
        values = [
            output
            for each in self._calculations
            for output in each.compute(*(columns[name] for name in each.inputs))
        ]
        open_time = pa.array(candles.open_time, self._schema.field("open_time").type)
        return pa.RecordBatch.from_arrays(
            [open_time, *(pa.array(each, mask=~np.isfinite(each)) for each in values)],
            schema=self._schema,
        )


def slots(open_time: NDArray[np.int64], timeframe: Timeframe) -> NDArray[np.int64]:
    """Positions on the grid, which count on by one: shape (rows,).

    `open_time`: milliseconds since the epoch, on the grid.
    """
    if timeframe.duration is None:
        return open_time.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return open_time // (timeframe.duration // _ONE_MS)
