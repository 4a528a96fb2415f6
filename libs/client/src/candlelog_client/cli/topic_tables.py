"""Topics as a table, and as JSON values."""

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType

from candlelog.log.kafka.admin import TopicState
from candlelog_client.cli.figures import duration
from candlelog_client.cli.grid import grid


def row(topic: TopicState) -> dict[str, Any]:
    """One topic; `retention_ms` is None where records are kept without limit."""
    retention = int(topic.configuration.get("retention.ms", -1))
    return {
        "name": topic.name,
        "partitions": topic.partitions,
        "compacted": "compact" in topic.configuration.get("cleanup.policy", ""),
        "retention_ms": None if retention < 0 else retention,
    }


def table(topics: Sequence[TopicState]) -> RenderableType:
    """Topics, one a line."""
    if not topics:
        return "No topics: candlelog topics apply creates them."
    shown = grid("topic", "partitions", "kept", whole=("topic",))
    for topic in topics:
        values = row(topic)
        kept = duration(values["retention_ms"] / 1000) if values["retention_ms"] else "for ever"
        if values["compacted"]:
            kept = f"newest of each key, {kept}"
        shown.add_row(topic.name, str(topic.partitions), kept)
    return shown
