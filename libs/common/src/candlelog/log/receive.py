"""From a record to an event."""

from typing import Final

import structlog

from candlelog.events.codec import Decode, Message, UndecodableError, decode
from candlelog.events.envelope import Envelope
from candlelog.log.types import Received, Record

_LOGGER: Final = structlog.get_logger()


def receive(record: Record, decode: Decode = decode) -> Received:
    """Read envelope and event; raises `UndecodableError` for whatever is no event of ours."""
    envelope = _envelope(record)
    if record.value is None:
        raise UndecodableError(f"{envelope.type}: a record without a value")
    return Received(record, envelope, decode(envelope.type, record.value))


def read_or_log(record: Record) -> Message | None:
    """The event of a record that every process reads; None, and a line logged, if it has none.

    Such records are not dead-lettered: every reader would bury its own copy at every start.
    """
    try:
        return receive(record).event
    except UndecodableError as error:
        topic, number = record.partition
        _LOGGER.warning(
            "undecodable", topic=topic, partition=number, offset=record.offset, reason=str(error)
        )
        return None


def _envelope(record: Record) -> Envelope:
    try:
        envelope = Envelope.from_headers(record.headers)
    except KeyError as error:
        raise UndecodableError(f"no header {error.args[0]!r}") from error
    except ValueError as error:
        raise UndecodableError(f"unreadable header: {error}") from error
    if envelope.time.tzinfo is None:
        raise UndecodableError("header 'ce_time' has no time zone")
    return envelope
