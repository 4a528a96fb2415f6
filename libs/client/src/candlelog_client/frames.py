"""The columns of candles read from the API, and rows turned into them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

_TIME = pa.timestamp("ms", tz="UTC")

COLUMNS = pa.schema(
    [
        pa.field("exchange", pa.string()),
        pa.field("symbol", pa.string()),
        pa.field("timeframe", pa.string()),
        pa.field("open_time", _TIME),
        pa.field("open", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("close", pa.float64()),
        pa.field("volume", pa.float64()),
        pa.field("quote_volume", pa.float64()),
        pa.field("trades", pa.uint32()),
        pa.field("source", pa.string()),
        pa.field("observed_at", _TIME),
    ]
)


def from_rows(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """A table with `COLUMNS` of the objects of a JSON page; what a row lacks is null."""
    arrays = [_column([row.get(field.name) for row in rows], field.type) for field in COLUMNS]
    return pa.Table.from_arrays(arrays, schema=COLUMNS)


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, kind)
