"""From a record to an event."""

from candlelog.events.codec import UndecodableError, decode
from candlelog.events.envelope import Envelope
from candlelog.log.types import Received, Record


def receive(record: Record) -> Received:
    """Read envelope and event; raises `UndecodableError` for whatever is no event of ours."""
    envelope = _envelope(record)
    if record.value is None:
        raise UndecodableError(f"{envelope.type}: a record without a value")
    return Received(record, envelope, decode(envelope.type, record.value))


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
