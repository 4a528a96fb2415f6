"""Tables that hold a row for each series and open time: which there are, and how one is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from candlelog.market.feature_sets import FeatureSet

_KEY: Final = ("exchange", "symbol", "timeframe", "open_time")


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """A view of ClickHouse; `columns` in the order they are shown, `only` what they must hold."""

    view: str
    columns: tuple[str, ...]
    only: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def statement(self) -> str:
        """Rows of a series with open times in `[start, end)` milliseconds, in time order.

        Parameters: the series, `only`, `start`, `end` and `limit`.
        """
        columns = ", ".join(f"`{name}`" for name in self.columns)
        held = ("exchange", "symbol", "timeframe", *self.only)
        return f"""
SELECT {columns} FROM {self.view}
WHERE {" AND ".join(f"{name} = {{{name}:String}}" for name in held)}
    AND open_time >= fromUnixTimestamp64Milli({{start:Int64}}, 'UTC')
    AND open_time < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC')
ORDER BY open_time LIMIT {{limit:UInt32}}
"""  # noqa: S608 -- put together from names of our own


CANDLES: Final = SeriesTable(
    "candles_latest",
    (
        *_KEY, "open", "high", "low", "close", "volume", "quote_volume", "trades", "source",
        "observed_at",
    ),
)  # fmt: skip


def features_of(feature_set: FeatureSet) -> SeriesTable:
    """The rows of a feature set, in whichever version is served."""
    columns = (*_KEY, "feature_set", "version", *feature_set.columns)
    return SeriesTable("features_latest", columns, {"feature_set": feature_set.name})
