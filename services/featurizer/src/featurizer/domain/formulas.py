"""Indicators that are computed here: those TA-Lib lacks, and those whose value would depend there
on where the pass over the candles began.

All take and give columns of one length, float64; a value that cannot be computed is NaN. Each
value follows from the rows that end with its own, whatever lies before them: what is summed is
summed anew for each row, never carried along, so that no rounding of a price of long ago stays.
"""

from collections.abc import Callable, Iterator

import numpy as np
import talib
from numpy.typing import NDArray

from featurizer.domain.windows import W

Floats = NDArray[np.float64]


def sma(values: Floats, timeperiod: int) -> Floats:
    """TA-Lib's SMA: the mean of the last `timeperiod` values."""
    return _over_tails(_sums, values, timeperiod) / timeperiod


def ema(values: Floats, timeperiod: int) -> Floats:
    """TA-Lib's EMA of the last W rows that end with each row, all of them in one pass.

    An EMA forgets the mean it began with by the factor `1 - 2 / (timeperiod + 1)` a row. One pass
    over everything differs from a pass that begins W rows back by what is left of the difference
    at the row where the latter begins; that is taken away. It only shows where prices fell to a
    small part within W rows.
    """
    value: Floats = talib.EMA(values, timeperiod)
    if len(values) >= W:
        age = W - timeperiod
        left = (1 - 2 / (timeperiod + 1)) ** age
        begun = slice(timeperiod - 1, len(values) - age)
        value[W - 1 :] += left * (sma(values[: begun.stop], timeperiod)[begun] - value[begun])
    return value


def bollinger(
    values: Floats, timeperiod: int, nbdevup: float, nbdevdn: float
) -> tuple[Floats, Floats, Floats]:
    """TA-Lib's BBANDS: the mean plus and minus so many population standard deviations."""
    middle, deviation = sma(values, timeperiod), _over_tails(_deviations, values, timeperiod)
    return middle + nbdevup * deviation, middle, middle - nbdevdn * deviation


def log_return(close: Floats) -> Floats:
    """The natural logarithm of `close` over the one before."""
    return np.diff(np.log(close), prepend=np.nan)


def volatility(close: Floats, timeperiod: int) -> Floats:
    """Population standard deviation of the last `timeperiod` log returns."""
    return _over_tails(_deviations, log_return(close), timeperiod)


def zscore(values: Floats, timeperiod: int) -> Floats:
    """How many population standard deviations a value lies above the mean of the last ones.

    The value itself is among them. NaN where they are all equal.
    """
    return _over_tails(_zscores, values, timeperiod)


def vwap(high: Floats, low: Floats, close: Floats, volume: Floats, *, timeperiod: int) -> Floats:
    """Mean of the last typical prices `(high + low + close) / 3`, weighted by volume.

    NaN where nothing was traded in all of them.
    """
    traded = _over_tails(_sums, (high + low + close) / 3 * volume, timeperiod)
    total = _over_tails(_sums, volume, timeperiod)
    return np.divide(traded, total, out=np.full(len(close), np.nan), where=total > 0)


def bars_contiguous(slot: NDArray[np.int64]) -> Floats:
    """How many rows lie before this one without a hole in the grid, at most W − 1.

    `slot`: the positions of the rows on the grid.
    """
    unbroken = rows_since(np.diff(slot) != 1, len(slot))
    return np.minimum(unbroken, W - 1).astype(np.float64)


def rows_since(event: NDArray[np.bool_], rows: int) -> NDArray[np.intp]:
    """How many rows ago it was last so, or the first row: shape (rows,).

    `event`: shape (rows - 1,), whether it was so between each row and the one before.
    """
    index = np.arange(rows)
    index[1:][~event] = 0
    return np.arange(rows) - np.maximum.accumulate(index)


def _over_tails(
    statistic: Callable[[Floats, int], Floats], values: Floats, timeperiod: int
) -> Floats:
    """A statistic of the last `timeperiod` values at each row; NaN where there are not as many."""
    result = np.full(len(values), np.nan)
    if len(values) >= timeperiod:
        result[timeperiod - 1 :] = statistic(values, timeperiod)
    return result


# Of the rows that end `timeperiod` values: shape (rows - timeperiod + 1,). Columns are added to
# columns, in the same order for each row. A sum of W values is off by W times the rounding of
# float64 at worst, a thousandth of what two passes may differ by.


def _sums(values: Floats, timeperiod: int) -> Floats:
    """Sums, put together from those of 1, 2, 4, … values."""
    total = np.zeros(len(values) - timeperiod + 1)
    sums, of, added = values, 1, 0
    while True:
        if timeperiod & of:
            total += sums[added:][: len(total)]
            added += of
        if added == timeperiod:
            return total
        sums = sums[:-of] + sums[of:]
        of *= 2


def _deviations(values: Floats, timeperiod: int) -> Floats:
    mean = _sums(values, timeperiod) / timeperiod
    squares = np.zeros(len(mean))
    for tail in _tails(values, timeperiod):
        squares += np.square(tail - mean)
    return np.sqrt(squares / timeperiod)


def _zscores(values: Floats, timeperiod: int) -> Floats:
    # Counted from the newest value, equal ones are exactly zero, and so is their deviation.
    newest = values[timeperiod - 1 :]
    mean, squares = np.zeros(len(newest)), np.zeros(len(newest))
    for tail in _tails(values, timeperiod):
        mean += tail - newest
    mean /= timeperiod
    for tail in _tails(values, timeperiod):
        squares += np.square(tail - newest - mean)
    deviation = np.sqrt(squares / timeperiod)
    return np.divide(-mean, deviation, out=np.full(len(mean), np.nan), where=deviation > 0)


def _tails(values: Floats, timeperiod: int) -> Iterator[Floats]:
    """The oldest of the values, the next, and so on."""
    rows = len(values) - timeperiod + 1
    return (values[age:][:rows] for age in range(timeperiod))
