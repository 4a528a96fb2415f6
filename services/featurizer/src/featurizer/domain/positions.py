"""How far the sink must have come before a record is worked on."""

from collections.abc import Iterable

from candlelog.log.types import Record

Place = tuple[str, int]
"""A topic, without the prefix, and a partition."""


def place(record: Record, topic_prefix: str) -> tuple[Place, int]:
    """Where the record lies, and the position behind it."""
    partition = record.partition
    return (partition.topic.removeprefix(topic_prefix), partition.number), record.offset + 1


def positions(records: Iterable[Record], topic_prefix: str) -> dict[Place, int]:
    """The position behind the last record of each place."""
    found: dict[Place, int] = {}
    for record in records:
        at, position = place(record, topic_prefix)
        found[at] = max(found.get(at, 0), position)
    return found
