"""Bytes to events and back."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Final, TypeVar

import pyarrow as pa
from pydantic import ValidationError

from candlelog.events.candles import CANDLE_SCHEMA, CandleBatchHeaderV1, CandleBatchV1
from candlelog.events.envelope import ARROW, JSON
from candlelog.events.event import Event
from candlelog.events.features import (
    FeatureBatchHeaderV1,
    FeatureBatchV1,
    feature_schema,
    is_feature_name,
)
from candlelog.events.registry import EVENTS

Message = Event | CandleBatchV1 | FeatureBatchV1
"""Everything that may stand on the log."""

Decode = Callable[[str, bytes], Message]
"""The event of a type in these bytes; raises `UndecodableError`."""

ARROW_HEADERS: Final = frozenset({CandleBatchHeaderV1, FeatureBatchHeaderV1})
"""Events that travel with rows, in the metadata of an Arrow stream."""

_HEADER: Final = b"candlelog.header"
_CANDLES: Final = pa.ipc.IpcWriteOptions()
"""The log compresses them as a whole: as small as with zstd in here, in half the time."""
_FEATURES: Final = pa.ipc.IpcWriteOptions(compression="lz4")
"""They look like noise to any compressor: zstd makes them an eighth smaller for thrice the time."""


HeaderT = TypeVar("HeaderT", CandleBatchHeaderV1, FeatureBatchHeaderV1)


class UndecodableError(ValueError):
    """The bytes are no event of ours; the text says why."""


def content_type(message: Message) -> str:
    """MIME type of the encoded value."""
    return JSON if isinstance(message, Event) else ARROW


def encode(message: Message) -> bytes:
    """The value of the record."""
    if isinstance(message, Event):
        return message.model_dump_json().encode()
    header = message.header.model_dump_json().encode()
    schema = message.rows.schema.with_metadata({_HEADER: header})
    options = _CANDLES if isinstance(message, CandleBatchV1) else _FEATURES
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_batch(message.rows)
    return sink.getvalue().to_pybytes()


def decode(ce_type: str, value: bytes) -> Message:
    """The event in a record's value; unknown fields are ignored, as every reader must.

    Raises `UndecodableError` for an unknown type or for bytes that do not hold one.
    """
    model = EVENTS.get(ce_type)
    if model is None:
        raise UndecodableError(f"unknown event type {ce_type!r}")
    if model is CandleBatchHeaderV1:
        return _candles(*_opened(CandleBatchHeaderV1, value))
    if model is FeatureBatchHeaderV1:
        return _features(*_opened(FeatureBatchHeaderV1, value))
    try:
        return model.model_validate_json(value, extra="ignore")
    except ValidationError as error:
        raise UndecodableError(f"{ce_type}: {_first(error)}") from error


def decode_headers(ce_type: str, value: bytes) -> Message:
    """As `decode`, but of a batch of candles the header alone: for who reads the rows elsewhere.

    The rows are not looked at, and may be broken.
    """
    if EVENTS.get(ce_type) is not CandleBatchHeaderV1:
        return decode(ce_type, value)
    with _stream(CandleBatchHeaderV1, value) as (header, _):
        return header


def _candles(header: CandleBatchHeaderV1, rows: pa.RecordBatch) -> CandleBatchV1:
    _require(rows, CANDLE_SCHEMA, "candle")
    return CandleBatchV1(header, rows)


def _features(header: FeatureBatchHeaderV1, rows: pa.RecordBatch) -> FeatureBatchV1:
    names = rows.schema.names[1:]
    _require(rows, feature_schema(names), "feature")
    if not all(map(is_feature_name, names)) or len(set(names)) < len(names):
        raise UndecodableError("a feature batch with a column that can be no feature")
    return FeatureBatchV1(header, rows)


def _opened(model: type[HeaderT], value: bytes) -> tuple[HeaderT, pa.RecordBatch]:
    with _stream(model, value) as (header, reader):
        rows, *others = reader
        rows.validate(full=True)
    if others:
        raise UndecodableError("an Arrow stream of more than one batch")
    return header, rows


@contextmanager
def _stream(
    model: type[HeaderT], value: bytes
) -> Generator[tuple[HeaderT, Iterable[pa.RecordBatch]]]:
    """The header, and the stream behind it; whatever is wrong with either is `UndecodableError`."""
    try:
        with pa.ipc.open_stream(value) as reader:
            metadata = reader.schema.metadata or {}
            yield model.model_validate_json(metadata[_HEADER], extra="ignore"), reader
    except KeyError as error:
        raise UndecodableError("a batch without a header") from error
    except ValidationError as error:
        raise UndecodableError(f"{model.ce_type}: {_first(error)}") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UndecodableError(f"not an Arrow stream of one batch: {error}") from error


def _require(rows: pa.RecordBatch, schema: pa.Schema, kind: str) -> None:
    if not rows.schema.equals(schema, check_metadata=False):
        raise UndecodableError(f"{kind} batch with other columns than the contract's")


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
