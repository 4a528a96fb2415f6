"""Positions, records and received events.

An *offset* names one record of a partition. A *position* is the offset a reader would read next;
committing position `n` says that everything below `n` is done.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from candlelog.events.codec import Message
from candlelog.events.envelope import Envelope, Headers


class Partition(NamedTuple):
    """One partition of a topic; `topic` is the name on the broker, with the prefix."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Record:
    """What stands on the log: bytes and headers at an offset; `appended_at` is aware UTC."""

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    appended_at: datetime


@dataclass(frozen=True, slots=True)
class Fetch:
    """How much a broker lets come together before it answers a consumer, and for how long at most.

    Large blocks are worth a wait where much is done for each block, whatever its size. Nothing is
    asked of other partitions while an answer is kept back: a long `wait_ms` is for who got nothing
    for a while, or reads one partition alone: `idle_ms`. They would ask in vain ten times a second.
    """

    least_bytes: int = 1
    wait_ms: int = 100
    idle_ms: int = 1000


AT_ONCE: Final = Fetch()
"""Whatever there is."""


@dataclass(frozen=True, slots=True)
class Received:
    """A record whose envelope and event were decoded."""

    record: Record
    envelope: Envelope
    event: Message


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be appended; the partition is chosen by the key as Kafka's default does."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
