"""Tables that hold a row for each series and open time: which there are, and how one is read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.events.fields import LATEST
from candlelog.market.feature_sets import FeatureSet

_KEY: Final = ("exchange", "symbol", "timeframe", "open_time")
_TYPES: Final = {str: "String", int: "UInt32"}
_NO_VERSION: Final = 0
"""Versions count from 1."""


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """A table of ClickHouse; `columns` in the order they are shown, `only` what they must hold.
    Numbers that no row has had yet (`absent`) are null. Of several `versions` of a row, which lie
    in these tables, the newest that was read by `as_of`.
    """

    source: str
    columns: tuple[str, ...]
    only: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    absent: Collection[str] = ()
    versions: tuple[str, ...] = ()
    as_of: datetime = LATEST

    @property
    def statement(self) -> str:
        """Rows of a series with open times in `[start, end)` milliseconds, in time order.

        Parameters: those of `parameters`, the series, `start`, `end` and `limit`.
        """
        if self.as_of == LATEST:
            return f"{self._select(self.source)} ORDER BY open_time LIMIT {{limit:UInt32}}"
        then = " AND observed_at <= {as_of:DateTime64(3, 'UTC')}"
        found = " UNION ALL ".join(self._select(table) + then for table in self.versions)
        return (
            f"SELECT * FROM ({found}) ORDER BY open_time, observed_at DESC"  # noqa: S608 -- as below
            " LIMIT 1 BY open_time LIMIT {limit:UInt32}"
        )

    @property
    def parameters(self) -> dict[str, object]:
        """Values of the statement that are of the table."""
        return {**self.only, "as_of": self.as_of}

    def _select(self, source: str) -> str:
        held = dict.fromkeys(_KEY[:3], "String") | {
            name: _TYPES[type(value)] for name, value in self.only.items()
        }
        return f"""
SELECT {", ".join(map(self._shown, self.columns))} FROM {source}
WHERE {" AND ".join(f"{name} = {{{name}:{kind}}}" for name, kind in held.items())}
    AND open_time >= fromUnixTimestamp64Milli({{start:Int64}}, 'UTC')
    AND open_time < fromUnixTimestamp64Milli({{end:Int64}}, 'UTC')"""  # noqa: S608 -- put together from names of our own

    def _shown(self, name: str) -> str:
        value = "CAST(NULL AS Nullable(Float64)) AS " if name in self.absent else ""
        return f"{value}`{name}`"


CANDLES: Final = SeriesTable(
    "candles_latest",
    (
        *_KEY, "open", "high", "low", "close", "volume", "quote_volume", "trades", "source",
        "observed_at",
    ),
    versions=("candles", "candle_revisions"),
)  # fmt: skip
"""Candles as they are believed now."""


def candles_as_of(moment: datetime) -> SeriesTable:
    """Candles as they were believed then."""
    return replace(CANDLES, as_of=moment)


def features_of(
    feature_set: FeatureSet, build: FeatureBuildRef | None, stored: Collection[str]
) -> SeriesTable:
    """The rows of one build of a feature set, of which there are none where there is no build.

    A reader of several pieces sees that build throughout. `stored` are the columns of the table.
    """
    version, number = (build.version, build.build) if build else (_NO_VERSION, 0)
    return SeriesTable(
        "features FINAL",
        (*_KEY, "feature_set", "version", *feature_set.columns),
        {"feature_set": feature_set.name, "version": version, "build": number},
        frozenset(feature_set.columns) - frozenset(stored),
    )
