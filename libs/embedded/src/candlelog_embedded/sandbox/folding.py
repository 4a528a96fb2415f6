"""Minutes folded into coarser candles, and the one that is still open."""

from typing import Final

import numpy as np

from candlelog.errors import Invalid
from candlelog_embedded.sandbox.columns import CLOSE, FIELDS, HIGH, LOW, OPEN, VOLUME, Columns
from candlelog_embedded.sandbox.intervals import MINUTE, Interval

_LARGEST: Final = 2.0**63


def folded(minutes: Columns, interval: Interval) -> Columns:
    """The candles of `interval` that these minutes make: first open, extremes, last close, sums."""
    if not len(minutes):
        return minutes
    opens = interval.floors(minutes.open_time)
    first = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
    last = np.append(first[1:], len(minutes)) - 1
    source = minutes.values
    if source[VOLUME:].astype(np.float64).sum(axis=1).max() >= _LARGEST:
        raise Invalid(f"{interval.name} volumes are too large to be added exactly")
    values = np.empty((FIELDS, len(first)), np.int64)
    values[OPEN] = source[OPEN, first]
    values[HIGH] = np.maximum.reduceat(source[HIGH], first)
    values[LOW] = np.minimum.reduceat(source[LOW], first)
    values[CLOSE] = source[CLOSE, last]
    values[VOLUME:] = np.add.reduceat(source[VOLUME:], first, axis=1)
    return Columns(opens[first], values, minutes.decimals)


def with_open_minute(minutes: Columns, now: int) -> Columns:
    """These minutes as they stand at `now`: the last one, if still open, is on its way.

    Price and volume have gone as much of their way as time has, so an open candle never equals
    the closed one it becomes unless nothing trades in it.
    """
    if not len(minutes) or minutes.open_time[-1] + MINUTE <= now:
        return minutes
    elapsed = max(0, now - int(minutes.open_time[-1]))
    values = minutes.values.copy()
    row = values[:, -1]
    way = (row[: CLOSE + 1] - row[OPEN]) * elapsed // MINUTE + row[OPEN]
    row[HIGH], row[LOW], row[CLOSE] = way[HIGH], way[LOW], way[CLOSE]
    row[VOLUME:] = row[VOLUME:] * elapsed // MINUTE
    return Columns(minutes.open_time, values, minutes.decimals)
