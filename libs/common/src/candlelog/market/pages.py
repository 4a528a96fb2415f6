"""From a venue's page, as its JSON was parsed, to valid columns and quarantined rows."""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from candlelog.events.candles import CANDLE_SCHEMA, QuarantinedRow
from candlelog.events.fields import LATEST
from candlelog.market.candles import Columns, faults
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, from_milliseconds, milliseconds

_RAW_LIMIT: Final = 1000
_FAR: Final = 2**62
_LATEST: Final = milliseconds(LATEST)
Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a venue's row holds what; its open times count units of so many milliseconds."""

    width: int
    unit: int = 1
    open_time: int = 0
    prices: tuple[int, int, int, int, int] = (1, 2, 3, 4, 5)
    """Open, high, low, close, volume."""
    quote_volume: int | None = None
    trades: int | None = None

    def times(self, stated: NDArray[np.int64]) -> NDArray[np.int64]:
        """Milliseconds since the epoch; what is too large for them stays far from any time."""
        return np.clip(stated, -_FAR // self.unit, _FAR // self.unit) * self.unit


@dataclass(frozen=True, slots=True)
class Page:
    """The valid rows of a page, and those that were refused."""

    rows: pa.RecordBatch
    quarantined: tuple[QuarantinedRow, ...]

    def refused_times(self, window: TimeRange) -> list[datetime]:
        """Open times in the window that refused rows state."""
        times = [row.open_time for row in self.quarantined if row.open_time is not None]
        return [time for time in times if window.start <= time < window.end]


NO_ROWS: Final = Page(pa.RecordBatch.from_pylist([], schema=CANDLE_SCHEMA), ())
"""Of an answer without any."""


def read_page(
    rows: Sequence[Row],
    layout: Layout,
    window: TimeRange,
    timeframe: Timeframe,
    *,
    open_from: datetime,
) -> Page:
    """Validate a page whose rows should lie in `window`.

    The row that opens at `open_from`, the open time of the candle that is still open by exchange
    time, is dropped: venues answer that one too, and it is no candle yet. A later one cannot be,
    and is refused like any row beside the window.
    """
    columns = _columns(rows, layout)
    malformed: list[Row] = []
    if columns is None:
        readable: list[Row] = []
        for row in rows:
            (malformed if _columns([row], layout) is None else readable).append(row)
        rows, columns = readable, _columns(readable, layout)
    assert columns is not None  # rows that can be read one by one can be read together
    reasons = faults(columns, window, timeframe)
    still_open = columns.open_time == milliseconds(open_from)
    keep = (reasons == None) & ~still_open  # noqa: E711 -- elementwise comparison
    refused = [_refused(row, _stated_time(row, layout), "malformed") for row in malformed]
    refused += [
        _refused(rows[index], int(columns.open_time[index]), cast("str", reasons[index]))
        for index in np.flatnonzero(~keep & ~still_open).tolist()
    ]
    return Page(columns.to_batch(keep), tuple(refused))


def _columns(rows: Sequence[Row], layout: Layout) -> Columns | None:
    """The rows as columns, or None where one of them is not of the layout."""
    try:
        fields = list(zip(*rows, strict=True)) if rows else [()] * layout.width
        if len(fields) != layout.width:
            return None
        return Columns(
            layout.times(_integers(fields[layout.open_time])),
            *(_floats(fields[index]) for index in layout.prices),
            quote_volume=None
            if layout.quote_volume is None
            else _floats(fields[layout.quote_volume]),
            trades=None if layout.trades is None else _integers(fields[layout.trades]),
        )
    except (TypeError, ValueError, OverflowError):
        return None


def _floats(values: Sequence[object]) -> NDArray[np.float64]:
    return np.fromiter(map(float, cast("Sequence[str]", values)), np.float64, len(values))


def _integers(values: Sequence[object]) -> NDArray[np.int64]:
    if not all(type(value) is int for value in values):
        raise TypeError("an integer is expected")
    return np.fromiter(cast("Sequence[int]", values), np.int64, len(values))


def _stated_time(row: Row, layout: Layout) -> int:
    """The open time of a row that cannot be read as a whole; -1 where it states none."""
    stated = row[layout.open_time] if len(row) > layout.open_time else None
    return stated * layout.unit if type(stated) is int else -1


def _refused(row: Row, open_time: int, reason: str) -> QuarantinedRow:
    known = from_milliseconds(open_time) if 0 <= open_time < _LATEST else None
    return QuarantinedRow(raw=_raw(row), reason=reason, open_time=known)


def _raw(row: Row) -> str:
    try:
        text = orjson.dumps(row, default=str).decode()
    except orjson.JSONEncodeError:  # nested deeper than it writes
        text = reprlib.repr(row)
    return text[:_RAW_LIMIT]
