"""How far the sink has stored."""

from typing import ClassVar

from candlelog.events.event import Event
from candlelog.events.fields import Count, Ordinal, Text


class SinkWatermarkV1(Event):
    """Everything of a partition below `offset` is readable in ClickHouse; the highest wins."""

    ce_type: ClassVar[str] = "candlelog.sink.watermark.v1"
    topic: ClassVar[str] = "sink.watermarks"

    source_topic: Text
    partition: Ordinal
    offset: Count

    @property
    def key(self) -> str:
        """The partition that was stored."""
        return f"{self.source_topic}|{self.partition}"
