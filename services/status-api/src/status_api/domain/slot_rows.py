"""Candles with the state of their slots, and with rows for the slots that hold none."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from candlelog.market.series import Series
from candlelog.market.slots import SlotRun, SlotState
from candlelog.market.timeframe import Timeframe, milliseconds

_TIME: Final = pa.timestamp("ms", "UTC")
_PRICES: Final = ("open", "high", "low", "close")
_AMOUNTS: Final = ("volume", "quote_volume", "trades")
_STORED: Final = (SlotState.PRESENT, SlotState.PROVISIONAL)
_PRICED: Final = (*_STORED, SlotState.NO_TRADE)
"""States of slots behind which the price is known: that of the last trade."""

Milliseconds = NDArray[np.int64]


def read_early(rows: pa.Table, frame: Timeframe, settle_delay: timedelta) -> NDArray[np.bool_]:
    """Which rows were read before they had been closed for the settle delay."""
    opened = _milliseconds(rows, "open_time")
    settled = _milliseconds(rows, "observed_at") - settle_delay // timedelta(milliseconds=1)
    if frame.duration is not None:
        return settled < opened + frame.duration // timedelta(milliseconds=1)
    closed = [milliseconds(frame.advance(time, 1)) for time in rows["open_time"].to_pylist()]
    return settled < np.array(closed, np.int64)


def with_states(rows: pa.Table, runs: Sequence[SlotRun]) -> pa.Table:
    """Rows with the state of their slot; of rows that no run holds it is `present`."""
    starts = np.array([milliseconds(run.start) for run in runs], np.int64)
    ends = np.array([milliseconds(run.end) for run in runs], np.int64)
    names = np.array([*(run.state for run in runs), SlotState.PRESENT], dtype=object)
    times = _milliseconds(rows, "open_time")
    run_of = np.searchsorted(starts, times, side="right") - 1
    inside = run_of >= 0
    inside[inside] = times[inside] < ends[run_of[inside]]
    states = names[np.where(inside, run_of, len(runs))]
    return rows.append_column("state", pa.array(states.tolist(), pa.string()))


def filled(
    rows: pa.Table, runs: Sequence[SlotRun], series: Series, price_before: float | None
) -> pa.Table:
    """A row for every slot of the runs, which leave nothing out and hold all of `rows`.

    A slot without a candle has no `source` and no `observed_at`. Where nothing was traded
    (`no_trade`) its prices are the close of the candle before and its amounts 0, and so on through
    neighbouring ones; `price_before` is that close for the first slot. In every other state, and
    where no price is known, all its numbers are null.
    """
    times = Timeframe.parse(series.timeframe).open_times_ms(runs[0].start, runs[-1].end)
    states = np.repeat(np.array([run.state for run in runs], object), [run.slots for run in runs])
    held_at = np.searchsorted(times, _milliseconds(rows, "open_time"))
    row_of = np.full(len(times), -1)
    row_of[held_at] = np.arange(rows.num_rows)
    # Read after the rows, the runs may know candles that the rows do not: then nothing was known.
    states[(row_of < 0) & np.isin(states, _STORED)] = SlotState.UNKNOWN
    table = rows.take(pa.array(row_of, mask=row_of < 0))
    quiet = (row_of < 0) & (states == SlotState.NO_TRADE)
    price = _last_price(rows["close"].to_numpy(), row_of, np.isin(states, _PRICED), price_before)
    columns = {
        "exchange": pa.repeat(series.exchange, len(times)),
        "symbol": pa.repeat(series.symbol, len(times)),
        "timeframe": pa.repeat(series.timeframe, len(times)),
        "open_time": pa.array(times).cast(_TIME),
        **{name: _replaced(table[name], quiet, price) for name in _PRICES},
        **{name: _replaced(table[name], quiet, np.zeros(len(times))) for name in _AMOUNTS},
    }
    for name, values in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, values)
    return table.append_column("state", pa.array(states.tolist(), pa.string()))


def _last_price(
    closes: NDArray[np.float64],
    row_of: NDArray[np.int64],
    priced: NDArray[np.bool_],
    before: float | None,
) -> NDArray[np.float64]:
    """The close of the last candle before each slot, NaN where a slot without a price lies between
    or there is none."""
    candles = np.maximum.accumulate(row_of)
    places = np.arange(len(row_of))
    last_candle = np.maximum.accumulate(np.where(row_of >= 0, places, -1))
    last_break = np.maximum.accumulate(np.where(priced, -1, places))
    known = np.append(closes, np.nan if before is None else before)  # the last for -1
    return np.where(last_candle >= last_break, known[candles], np.nan)


def _replaced(
    column: pa.ChunkedArray, where: NDArray[np.bool_], values: NDArray[np.float64]
) -> pa.Array:
    """A column with other values there, where NaN is null."""
    told = pa.array(values, mask=np.isnan(values)).cast(column.type)
    return pc.call_function("if_else", [pa.array(where), told, column.combine_chunks()])


def _milliseconds(rows: pa.Table, name: str) -> Milliseconds:
    return rows[name].cast(_TIME).cast(pa.int64()).to_numpy()
