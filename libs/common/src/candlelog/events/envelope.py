"""CloudEvents in binary mode: the context of an event travels in the record's headers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

Headers = tuple[tuple[str, bytes], ...]

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who said what, when, about whom. `time` is aware UTC; `traceparent` is W3C trace context."""

    id: str
    type: str
    source: str
    time: datetime
    subject: str
    content_type: str
    traceparent: str | None = None

    def headers(self) -> Headers:
        """The envelope as record headers."""
        pairs = [
            ("ce_specversion", "1.0"),
            ("ce_id", self.id),
            ("ce_type", self.type),
            ("ce_source", self.source),
            ("ce_time", self.time.isoformat()),
            ("ce_subject", self.subject),
            ("content-type", self.content_type),
        ]
        if self.traceparent is not None:
            pairs.append(("traceparent", self.traceparent))
        return tuple((name, value.encode()) for name, value in pairs)

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes]]) -> "Envelope":
        """Read an envelope; `KeyError` names a header that is missing, `ValueError` a bad one."""
        found: Mapping[str, str] = {name: value.decode() for name, value in headers}
        return cls(
            id=found["ce_id"],
            type=found["ce_type"],
            source=found["ce_source"],
            time=datetime.fromisoformat(found["ce_time"]),
            subject=found["ce_subject"],
            content_type=found["content-type"],
            traceparent=found.get("traceparent"),
        )
