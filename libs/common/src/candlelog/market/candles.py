"""The rules a candle must keep, over whole columns at once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from candlelog.events.candles import CANDLE_SCHEMA
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, milliseconds

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_MAX_TRADES: Final = np.iinfo(np.uint32).max
_ONE_MS: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Columns:
    """Candles as columns of one length: open times in milliseconds since the epoch, prices and
    `quote_volume` in quote currency, `volume` in base currency. The last two are None where the
    venue does not give them.
    """

    open_time: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats | None = None
    trades: NDArray[np.int64] | None = None

    @classmethod
    def from_batch(cls, batch: pa.RecordBatch) -> "Columns":
        """The columns of a record batch of `CANDLE_SCHEMA`; a missing value becomes NaN or 0."""
        time, *prices, quote_volume, trades = batch.columns
        return cls(
            time.cast(pa.int64()).to_numpy(),
            *(column.to_numpy(zero_copy_only=False) for column in prices),
            quote_volume=_given(quote_volume, np.nan),
            trades=_given(trades, 0),
        )

    def part(self, first: int, end: int) -> "Columns":
        """The rows `[first, end)`."""
        rows = slice(first, end)
        return Columns(
            self.open_time[rows],
            *(column[rows] for column in (self.open, self.high, self.low, self.close, self.volume)),
            quote_volume=None if self.quote_volume is None else self.quote_volume[rows],
            trades=None if self.trades is None else self.trades[rows],
        )

    def to_batch(self, keep: Mask) -> pa.RecordBatch:
        """The rows where `keep` is true, as a record batch of `CANDLE_SCHEMA`."""
        size = int(keep.sum())
        rows = keep if size < len(keep) else slice(None)  # of all rows none is copied
        optional = (self.quote_volume, self.trades)
        return pa.RecordBatch.from_arrays(
            [
                pa.array(self.open_time[rows], CANDLE_SCHEMA.field("open_time").type),
                *(
                    pa.array(column[rows], pa.float64())
                    for column in (self.open, self.high, self.low, self.close, self.volume)
                ),
                *(
                    pa.nulls(size, kind)
                    if column is None
                    else pa.array(column[rows], from_pandas=True).cast(kind)
                    for column, kind in zip(optional, (pa.float64(), pa.uint32()), strict=True)
                ),
            ],
            schema=CANDLE_SCHEMA,
        )


def _given(column: pa.Array, instead: float) -> Any:
    """The values of a nullable column, or None where it holds no value at all."""
    if column.null_count == len(column):
        return None
    if not column.null_count:
        return column.to_numpy()
    return column.fill_null(instead).to_numpy(zero_copy_only=False)


def are_sound(columns: Columns, window: TimeRange, timeframe: Timeframe) -> bool:
    """Whether no row breaks a rule: what `faults` says in the end, in a fraction of its time."""
    if timeframe.duration is None or not len(columns.open_time):
        return not np.any(faults(columns, window, timeframe) != None)  # noqa: E711 -- elementwise
    return _times_sound(columns.open_time, window, timeframe) and _values_sound(columns)


def _times_sound(open_time: NDArray[np.int64], window: TimeRange, timeframe: Timeframe) -> bool:
    first_and_last = open_time[[0, -1]]
    return bool(
        _inside(first_and_last, window).all()
        and (open_time[1:] > open_time[:-1]).all()
        and _on_grid(open_time, window, timeframe).all()
    )


def _values_sound(columns: Columns) -> bool:
    """A comparison with what is no number is false; what lies between two numbers is one."""
    low, high = columns.low, columns.high
    fine = (low > 0) & (low <= columns.open) & (low <= columns.close)
    fine &= (columns.open <= high) & (columns.close <= high) & (high < np.inf)
    fine &= (columns.volume >= 0) & (columns.volume < np.inf)
    if columns.quote_volume is not None:
        fine &= ~((columns.quote_volume < 0) | (columns.quote_volume == np.inf))
    if columns.trades is not None:
        fine &= (columns.trades >= 0) & (columns.trades <= _MAX_TRADES)
    return bool(fine.all())


def faults(columns: Columns, window: TimeRange, timeframe: Timeframe) -> NDArray[np.object_]:
    """The first rule each row breaks, or None: shape (rows,).

    Rules, in order: `not_finite`, `not_positive`, `low_or_high_wrong`, `off_grid`,
    `outside_window`, `not_increasing` (among the rows that keep all others).
    """
    reasons = np.full(len(columns.open_time), None, dtype=object)
    fine = np.ones(len(reasons), dtype=bool)
    for reason, kept in (
        ("not_finite", _finite(columns)),
        ("not_positive", _positive(columns)),
        ("low_or_high_wrong", _ordered(columns)),
        ("off_grid", _on_grid(columns.open_time, window, timeframe)),
        ("outside_window", _inside(columns.open_time, window)),
    ):
        reasons[fine & ~kept] = reason
        fine &= kept
    places = np.flatnonzero(fine)
    times = columns.open_time[places]
    newest_before = np.maximum.accumulate(times)[:-1]
    reasons[places[1:][times[1:] <= newest_before]] = "not_increasing"
    return reasons


def _finite(columns: Columns) -> Mask:
    values = (columns.open, columns.high, columns.low, columns.close, columns.volume)
    return np.logical_and.reduce([np.isfinite(value) for value in values])


def _positive(columns: Columns) -> Mask:
    prices = (columns.open, columns.high, columns.low, columns.close)
    fine = np.logical_and.reduce([price > 0 for price in prices]) & (columns.volume >= 0)
    if columns.quote_volume is not None:
        fine &= ~(columns.quote_volume < 0) & ~np.isinf(columns.quote_volume)
    if columns.trades is not None:
        fine &= (columns.trades >= 0) & (columns.trades <= _MAX_TRADES)
    return fine


def _ordered(columns: Columns) -> Mask:
    lower = np.minimum(columns.open, columns.close)
    upper = np.maximum(columns.open, columns.close)
    return (columns.low <= lower) & (upper <= columns.high)


def _on_grid(open_time: NDArray[np.int64], window: TimeRange, timeframe: Timeframe) -> Mask:
    if timeframe.duration is None:
        return np.isin(open_time, timeframe.open_times_ms(window.start, window.end)) | ~_inside(
            open_time, window
        )
    return (open_time - milliseconds(timeframe.anchor)) % (timeframe.duration // _ONE_MS) == 0


def _inside(open_time: NDArray[np.int64], window: TimeRange) -> Mask:
    return (open_time >= milliseconds(window.start)) & (open_time < milliseconds(window.end))
