"""Batches as the columns of the tables."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import pyarrow as pa

from candlelog.events.candles import CANDLE_SCHEMA
from candlelog.market.series import Series
from clickhouse_sink.domain.batches import Batch
from clickhouse_sink.domain.history import Observation

TableName = Literal["candles", "candle_revisions", "coverage", "quarantine"]

_TIME: Final = pa.timestamp("ms", tz="UTC")
_SERIES: Final = [(name, pa.string()) for name in ("exchange", "symbol", "timeframe")]

CANDLE_ROWS: Final = pa.schema(
    [*_SERIES, *CANDLE_SCHEMA, ("source", pa.string()), ("observed_at", _TIME)]
)
"""Columns of `candles` and of `candle_revisions`."""

COVERAGE_ROWS: Final = pa.schema(
    [
        *_SERIES,
        ("start", _TIME),
        ("end", _TIME),
        ("source", pa.string()),
        ("outcome", pa.string()),
        ("job_id", pa.string()),
        ("chunk_id", pa.string()),
        ("observed_at", _TIME),
    ]
)
QUARANTINE_ROWS: Final = pa.schema(
    [
        *_SERIES,
        ("open_time", _TIME),
        ("raw", pa.string()),
        ("reason", pa.string()),
        ("source", pa.string()),
        ("job_id", pa.string()),
        ("chunk_id", pa.string()),
        ("observed_at", _TIME),
    ]
)


def candle_rows(batches: Sequence[Batch]) -> pa.RecordBatch:
    """Rows of batches (`CANDLE_SCHEMA`) with what is true of all of a batch beside."""
    rows = pa.Table.from_batches([each.rows for each in batches], CANDLE_SCHEMA)
    owners = np.repeat(np.arange(len(batches)), [each.rows.num_rows for each in batches])
    observed = np.array([each.observed_at for each in batches])[owners]
    *series, sources = [
        pa.array(column).take(pa.array(owners))
        for column in (*_series_columns(batches), [each.header.source for each in batches])
    ]
    return pa.RecordBatch.from_arrays(
        [
            *series,
            *(column.combine_chunks() for column in rows.columns),
            sources,
            pa.array(observed).cast(_TIME),
        ],
        schema=CANDLE_ROWS,
    )


def observed_rows(series: Series, observed: Sequence[tuple[int, Observation]]) -> pa.RecordBatch:
    """Single observations with the open times (milliseconds) of their slots, as rows."""
    entries = [entry for _, entry in observed]
    values = list(zip(*(entry.values for entry in entries), strict=True)) or [()] * 7
    size = len(entries)
    return pa.RecordBatch.from_arrays(
        [
            *(pa.repeat(pa.scalar(text), size) for text in _texts(series)),
            pa.array([open_time for open_time, _ in observed], pa.int64()).cast(_TIME),
            *(
                pa.array(column, field.type)
                for column, field in zip(values, list(CANDLE_SCHEMA)[1:], strict=True)
            ),
            pa.array([entry.source for entry in entries], pa.string()),
            pa.array([entry.observed_at for entry in entries], pa.int64()).cast(_TIME),
        ],
        schema=CANDLE_ROWS,
    )


def coverage_rows(batches: Sequence[Batch]) -> pa.Table:
    """One row for each batch: what was asked, and how the venue answered."""
    headers = [batch.header for batch in batches]
    columns = [
        *_series_columns(batches),
        [batch.window.start for batch in batches],
        [batch.window.end for batch in batches],
        [header.source for header in headers],
        [batch.outcome for batch in batches],
        [str(header.job_id) for header in headers],
        [str(header.chunk_id) for header in headers],
        [batch.observed_at for batch in batches],
    ]
    return _table(columns, COVERAGE_ROWS)


def quarantine_rows(batches: Sequence[Batch]) -> pa.Table:
    """One row for each row of the venue that broke a rule."""
    pairs = [(batch, row) for batch in batches for row in batch.header.quarantined]
    owners = [batch for batch, _ in pairs]
    columns = [
        *_series_columns(owners),
        [row.open_time for _, row in pairs],
        [row.raw for _, row in pairs],
        [row.reason for _, row in pairs],
        [batch.header.source for batch in owners],
        [str(batch.header.job_id) for batch in owners],
        [str(batch.header.chunk_id) for batch in owners],
        [batch.observed_at for batch in owners],
    ]
    return _table(columns, QUARANTINE_ROWS)


def _series_columns(batches: Sequence[Batch]) -> list[list[str]]:
    texts = [_texts(batch.window.series) for batch in batches]
    return [[text[part] for text in texts] for part in range(3)]


def _texts(series: Series) -> tuple[str, str, str]:
    return series.exchange, series.symbol, series.timeframe


def _table(columns: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
        schema=schema,
    )
