"""Markets of Kraken's files: `PAIR_MINUTES.csv`, without a header, times in seconds."""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import csv

from candlelog_embedded.sandbox.archived import units_of
from candlelog_embedded.sandbox.columns import FIELDS, TRADES, VOLUME, Columns

_NAME: Final = re.compile(r"([A-Z0-9]+)_\d+\.csv")
_FIELDS: Final = ("time", "open", "high", "low", "close", "volume", "trades")
_PLACES: Final = (0, 1, 2, 3, VOLUME, TRADES)
"""Where the fields behind the time stand among those of a candle."""


class OhlcvtMarket:
    """One market, all of it in memory. A candle of the file is told as one minute, that in which it
    opens: what is folded from the minutes of its hour is the candle again.
    """

    def __init__(self, path: Path) -> None:
        table = csv.read_csv(
            path,
            csv.ReadOptions(column_names=_FIELDS),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(_FIELDS, pa.string())),
        )
        seconds, _ = units_of(table["time"])
        values, decimals = np.zeros((FIELDS, len(seconds)), np.int64), [0] * FIELDS
        for place, name in zip(_PLACES, _FIELDS[1:], strict=True):
            values[place], decimals[place] = units_of(table[name])
        self._columns = Columns(seconds * 1000, values, tuple(decimals))

    def following(self, time: int) -> int | None:
        """The first minute that opens at or after `time`, None where there is none."""
        times = self._columns.open_time
        at = int(np.searchsorted(times, time))
        return int(times[at]) if at < len(times) else None

    def preceding(self, time: int) -> int | None:
        """The last minute that opens at or before `time`, None where there is none."""
        times = self._columns.open_time
        at = int(np.searchsorted(times, time, "right"))
        return int(times[at - 1]) if at else None

    def minutes(self, start: int, end: int) -> Columns:
        """The minutes that open in `[start, end)`."""
        first, stop = np.searchsorted(self._columns.open_time, [start, end])
        return self._columns.pick(slice(int(first), int(stop)))


def ohlcvt_files(folder: Path) -> dict[str, Path]:
    """The file of each pair, by the pair's name in it; of several timeframes the first by name."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.csv")):
        if match := _NAME.fullmatch(path.name):
            found.setdefault(match[1], path)
    return found
