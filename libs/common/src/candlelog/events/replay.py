"""What is to be computed from what is stored, without asking a venue, and what is then served."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

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


BuildStateName = Literal["serving", "beside", "closed"]


class BuildState(BaseModel):
    """What becomes of one build of a feature set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Positive
    build: Ordinal
    state: BuildStateName
    """`serving`: readers see it; `beside`: it is kept up, unseen; `closed`: nobody works on it."""


class BuildsChangedV1(Event):
    """Builds of a feature set of a series change their states, all at once for every reader.

    Of two events about a build the one with the higher `number` holds, whatever the order in
    which they arrive.
    """

    ce_type: ClassVar[str] = "candlelog.replay.builds_changed.v1"
    topic: ClassVar[str] = "replay.requested"

    exchange: Name
    symbol: Name
    timeframe: Name
    feature_set: Name
    number: Annotated[int, Field(ge=1, lt=2**19)]
    """Counts the changes of this feature set of this series."""
    builds: tuple[BuildState, ...] = Field(min_length=1, max_length=100)

    @property
    def key(self) -> str:
        """The series: `exchange|symbol|timeframe`."""
        return f"{self.exchange}|{self.symbol}|{self.timeframe}"
