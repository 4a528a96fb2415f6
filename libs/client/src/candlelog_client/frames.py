"""Rows read from the API turned into tables, and tables into other frames."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, Literal

import pyarrow as pa

from candlelog_client.errors import ClientError

Noun = Literal["candles", "features"]

_TIME: Final = pa.timestamp("ms", tz="UTC")
_KEY: Final = {
    "exchange": pa.string(),
    "symbol": pa.string(),
    "timeframe": pa.string(),
    "open_time": _TIME,
}
_KINDS: Final[dict[Noun, dict[str, pa.DataType]]] = {
    "candles": {
        **_KEY,
        "trades": pa.uint32(),
        "source": pa.string(),
        "observed_at": _TIME,
        "state": pa.string(),
    },
    "features": {**_KEY, "feature_set": pa.string(), "version": pa.uint32()},
}
"""Of the columns that are not `float64`, as the server's Arrow streams have them."""


def from_rows(noun: Noun, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """A table of the objects of a JSON page, of which there is at least one."""
    kinds = {name: _KINDS[noun].get(name, pa.float64()) for name in rows[0]}
    return pa.table({name: _column([row[name] for row in rows], kinds[name]) for name in kinds})


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, kind)


def library(name: str) -> Any:
    """The package that makes frames of that name; `ClientError` where it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ClientError(f"to_{name}() needs the package {name}: pip install {name}") from error
