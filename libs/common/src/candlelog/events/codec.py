"""Bytes to events and back."""

from typing import Final

import pyarrow as pa
from pydantic import ValidationError

from candlelog.events.candles import CANDLE_SCHEMA, CandleBatchHeaderV1, CandleBatchV1
from candlelog.events.envelope import ARROW, JSON
from candlelog.events.event import Event
from candlelog.events.registry import EVENTS

Message = Event | CandleBatchV1
"""Everything that may stand on the log."""

_HEADER: Final = b"candlelog.header"
_IPC: Final = pa.ipc.IpcWriteOptions(compression="zstd")


class UndecodableError(ValueError):
    """The bytes are no event of ours; the text says why."""


def content_type(message: Message) -> str:
    """MIME type of the encoded value."""
    return ARROW if isinstance(message, CandleBatchV1) else JSON


def encode(message: Message) -> bytes:
    """The value of the record."""
    if not isinstance(message, CandleBatchV1):
        return message.model_dump_json().encode()
    schema = CANDLE_SCHEMA.with_metadata({_HEADER: message.header.model_dump_json().encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=_IPC) as writer:
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
        return _decode_batch(value)
    try:
        return model.model_validate_json(value, extra="ignore")
    except ValidationError as error:
        raise UndecodableError(f"{ce_type}: {_first(error)}") from error


def _decode_batch(value: bytes) -> CandleBatchV1:
    try:
        with pa.ipc.open_stream(value) as reader:
            metadata = reader.schema.metadata or {}
            header = CandleBatchHeaderV1.model_validate_json(metadata[_HEADER], extra="ignore")
            rows, *others = reader
            rows.validate(full=True)
    except KeyError as error:
        raise UndecodableError("candle batch without a header") from error
    except ValidationError as error:
        raise UndecodableError(f"candle batch header: {_first(error)}") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UndecodableError(f"not an Arrow stream of one batch: {error}") from error
    if others:
        raise UndecodableError("an Arrow stream of more than one batch")
    if not rows.schema.equals(CANDLE_SCHEMA, check_metadata=False):
        raise UndecodableError("candle batch with other columns than the contract's")
    return CandleBatchV1(header, rows)


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
