"""The rules a batch keeps before any of it is stored."""

import numpy as np
import pyarrow as pa

from candlelog.errors import Invalid
from candlelog.events.candles import CANDLE_SCHEMA, CandleBatchHeaderV1, CandleBatchV1
from candlelog.market.candles import Columns, are_sound, faults
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe


def fault(event: CandleBatchV1) -> str | None:
    """The first rule the batch breaks, in words for a dead letter; None for a good one."""
    header, rows = event.header, event.rows
    try:
        timeframe = Timeframe.parse(header.timeframe)
        window = TimeRange(header.start, header.end)
    except Invalid as error:
        return str(error)
    return _header_fault(header, timeframe, rows.num_rows) or _rows_fault(rows, window, timeframe)


def _header_fault(header: CandleBatchHeaderV1, timeframe: Timeframe, rows: int) -> str | None:
    if timeframe.floor(header.start) != header.start or timeframe.floor(header.end) != header.end:
        return f"the range is not on the grid of {timeframe.name}"
    slots = timeframe.count(header.start, header.end)
    if header.slots != slots:
        return f"{header.slots} slots are claimed of a range of {slots}"
    if rows and header.answer != "candles":
        return f"{rows} rows in an answer that is said to be {header.answer}"
    return None


def _rows_fault(rows: pa.RecordBatch, window: TimeRange, timeframe: Timeframe) -> str | None:
    for field in CANDLE_SCHEMA:
        if not field.nullable and rows.column(field.name).null_count:
            return f"a row has no {field.name}"
    columns = Columns.from_batch(rows)
    if not are_sound(columns, window, timeframe):
        reasons = faults(columns, window, timeframe)
        first = np.flatnonzero(reasons != None)[0]  # noqa: E711 -- elementwise comparison
        return f"row {first}: {reasons[first]}"
    if np.isnan(rows.column("quote_volume").drop_null().to_numpy()).any():
        return "a row has a quote_volume that is no number"
    return None
