"""What is to be computed from what is stored, without asking a venue."""

from typing import ClassVar
from uuid import UUID

from candlelog.events.event import Event
from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.fields import Name, Ordinal, Positive, Time


class ReplayRequestedV1(Event):
    """Compute features of the stored candles of a series with open times in `[start, end)`.

    From this event on the series *has* the feature set: the sink notes so before it says that it
    has read the event, and whoever computes features asks for that note after its barrier. So a
    candle is stored either before the note, and is found by this request, or after it, and is
    computed when it is stored.
    """

    ce_type: ClassVar[str] = "candlelog.replay.requested.v1"
    topic: ClassVar[str] = "replay.requested"

    chunk_id: UUID
    job_id: UUID
    task_id: UUID
    exchange: Name
    symbol: Name
    timeframe: Name
    start: Time
    end: Time
    feature_set: FeatureSetRef
    build: Ordinal = 0
    generation: Ordinal
    release: Positive

    @property
    def key(self) -> str:
        """The series: `exchange|symbol|timeframe`."""
        return f"{self.exchange}|{self.symbol}|{self.timeframe}"
