"""Minutes folded into coarser candles, and those that still change."""

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


def as_they_stand(minutes: Columns, now: int, late: int) -> Columns:
    """These minutes at `now`: one is on its way until `late` milliseconds after its close.

    Price and volume have gone as much of their way as time has, so a candle on its way never equals
    the final one it becomes unless nothing trades in it.
    """
    first = int(np.searchsorted(minutes.open_time, now - MINUTE - late, side="right"))
    if first == len(minutes):
        return minutes
    elapsed = np.maximum(0, now - minutes.open_time[first:])
    values = minutes.values.copy()
    rows = values[:, first:]
    prices = rows[: CLOSE + 1]
    prices[HIGH:] = (prices[HIGH:] - prices[OPEN]) * elapsed // (MINUTE + late) + prices[OPEN]
    rows[VOLUME:] = rows[VOLUME:] * elapsed // (MINUTE + late)
    return Columns(minutes.open_time, values, minutes.decimals)
