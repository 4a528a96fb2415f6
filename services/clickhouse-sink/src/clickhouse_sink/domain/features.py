"""Feature batches as the columns of the table, and what is said of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from candlelog.errors import Invalid
from candlelog.events.features import FeatureBatchV1
from candlelog.events.progress import FeaturesStoredV1
from candlelog.market.timeframe import Timeframe

_CONSTANTS: Final = pa.schema(
    [
        ("exchange", pa.string()),
        ("symbol", pa.string()),
        ("timeframe", pa.string()),
        ("feature_set", pa.string()),
        ("version", pa.uint32()),
        ("build", pa.uint32()),
        ("revision", pa.uint64()),
    ]
)
"""What is true of all rows of a batch."""


def features_fault(event: FeatureBatchV1) -> str | None:
    """The first rule the batch breaks, in words for a dead letter; None for a good one."""
    try:
        Timeframe.parse(event.header.timeframe)
    except Invalid as error:
        return str(error)
    times = event.rows.column("open_time")
    if times.null_count:
        return "a row has no open_time"
    if (np.diff(times.cast(pa.int64()).to_numpy()) <= 0).any():
        return "open times do not increase"
    return next((reason for name in _features(event) if (reason := _not_finite(event, name))), None)


def feature_tables(batches: Sequence[FeatureBatchV1]) -> list[pa.Table]:
    """The rows of all batches, one table for each choice of columns."""
    by_columns: dict[tuple[str, ...], list[pa.RecordBatch]] = {}
    for batch in batches:
        if batch.rows.num_rows:
            rows = _with_constants(batch)
            by_columns.setdefault(tuple(rows.schema.names), []).append(rows)
    return [pa.Table.from_batches(parts).combine_chunks() for parts in by_columns.values()]


def features_stored(batches: Iterable[FeatureBatchV1], at: datetime) -> list[FeaturesStoredV1]:
    """The parts of chunks that have theirs, readable since `at`."""
    return [
        FeaturesStoredV1(**chunk.model_dump(), stored_at=at)
        for batch in batches
        for chunk in batch.header.answers
    ]


def _features(event: FeatureBatchV1) -> list[str]:
    return event.rows.schema.names[1:]


def _not_finite(event: FeatureBatchV1, name: str) -> str | None:
    values = event.rows.column(name).drop_null().to_numpy()
    return None if np.isfinite(values).all() else f"a value of {name} is not finite"


def _with_constants(batch: FeatureBatchV1) -> pa.RecordBatch:
    header, rows = batch.header, batch.rows
    values = (
        header.exchange,
        header.symbol,
        header.timeframe,
        header.feature_set.name,
        header.feature_set.version,
        header.build,
        header.revision,
    )
    constants = [
        pa.repeat(pa.scalar(value, field.type), rows.num_rows)
        for value, field in zip(values, _CONSTANTS, strict=True)
    ]
    return pa.RecordBatch.from_arrays(
        [*constants, *rows.columns], schema=pa.schema([*_CONSTANTS, *rows.schema])
    )
