"""What fetchers are asked to do."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from candlelog.events.event import Event
from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.fields import Name, Ordinal, Positive, PositiveCount, Text, Time


class ArchiveFileRef(BaseModel):
    """A file of an archive, by its path there; `version` changes when the file does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Text
    version: Text


class FetchRequestedV1(Event):
    """One chunk of a task is due (the job-requested event).

    `(generation, release)` orders everything said about a chunk; `attempt` counts answers of the
    venue alone: a lost lease or a rate limit raises `release`, not `attempt`.
    """

    ce_type: ClassVar[str] = "candlelog.fetch.requested.v1"
    topic: ClassVar[str] = "fetch.requested"

    chunk_id: UUID
    job_id: UUID
    task_id: UUID
    exchange: Name
    symbol: Name
    timeframe: Name
    start: Time
    end: Time
    slots: PositiveCount
    route: Literal["rest", "archive"] = "rest"
    file: ArchiveFileRef | None = None
    """Where the candles are read, on the route `archive`."""
    pass_number: Ordinal = 0
    generation: Ordinal
    release: Positive
    attempt: Positive
    max_attempts: Positive
    feature_sets: tuple[FeatureSetRef, ...] = ()
    """What must be computed of the candles before the chunk is through."""

    @property
    def key(self) -> str:
        """The chunk id: spreads the chunks of a task over all workers."""
        return str(self.chunk_id)


class MarketsRequestedV1(Event):
    """The market list of an exchange is wanted."""

    ce_type: ClassVar[str] = "candlelog.fetch.markets_requested.v1"
    topic: ClassVar[str] = "fetch.requested"

    exchange: Name
    requested_at: Time

    @property
    def key(self) -> str:
        """The exchange."""
        return self.exchange
