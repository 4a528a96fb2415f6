"""Building the tables of candles anew from the topic `candles`, in a shadow of the live ones."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from candlelog.events.event import Event
from candlelog.events.fields import Count, Name, Ordinal, Time

ShadowStep = Literal["open", "switch", "switch_back", "close"]
Origin = Literal["log", "store"]
"""Where a part of a rebuild takes its candles from: `log` is the topic; `store` the live tables, of
what the topic no longer holds."""


class ShadowRequestedV1(Event):
    """Open a shadow of the tables of candles, exchange it with the live ones, or drop it.

    All steps of all shadows have one key: they are done in the order in which they were asked for.
    """

    ce_type: ClassVar[str] = "candlelog.replay.shadow_requested.v1"
    topic: ClassVar[str] = "replay.requested"

    job_id: UUID
    number: Count
    """Of the shadow: each has a higher one than those before it."""
    step: ShadowStep
    correlation_id: UUID

    @property
    def key(self) -> str:
        """The same for all."""
        return "candles"


class RebuildRequestedV1(Event):
    """Go on with a partition of `candles`; stands in that partition, so that who stores what comes
    next in it also rebuilds it, and no two write the same series of the shadow at once.
    """

    ce_type: ClassVar[str] = "candlelog.candles.rebuild_requested.v1"
    topic: ClassVar[str] = "candles"

    job_id: UUID
    number: Count
    """Of the shadow."""
    origin: Origin
    partition: Ordinal
    routing: Name
    """The key, by which the record falls into the partition."""
    first: Count | None = None
    """The first offset that was read; None before anything was."""
    position: Count | None = None
    """The offset to go on from, or how many answers were taken from the store."""
    end: Count | None = None
    """The offset of the first request of the partition: what lies behind it is written to the
    shadow when it is stored."""

    @property
    def key(self) -> str:
        """What leads to the partition."""
        return self.routing


class _ShadowEvent(Event):
    topic: ClassVar[str] = "progress"

    job_id: UUID

    @property
    def key(self) -> str:
        """The job id."""
        return str(self.job_id)


class ShadowChangedV1(_ShadowEvent):
    """The step with this correlation id is done."""

    ce_type: ClassVar[str] = "candlelog.progress.shadow_changed.v1"

    step: ShadowStep
    correlation_id: UUID
    changed_at: Time


class PartRebuiltV1(_ShadowEvent):
    """How far a partition has come; through when `done` has reached `total`, which only a rebuild
    from the store may raise."""

    ce_type: ClassVar[str] = "candlelog.progress.part_rebuilt.v1"

    origin: Origin
    partition: Ordinal
    done: Count
    """Offsets read, or answers taken from the store."""
    total: Count
    rows: Count = Field(default=0)
    """Candles that were read in this step."""
    rebuilt_at: Time

    @property
    def through(self) -> bool:
        """Whether nothing is left."""
        return self.done >= self.total
