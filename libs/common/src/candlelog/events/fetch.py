"""What fetchers are asked to do."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from candlelog.events.event import Event


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
    exchange: str
    symbol: str
    timeframe: str
    start: AwareDatetime
    end: AwareDatetime
    slots: int = Field(ge=1)
    route: Literal["rest"] = "rest"
    pass_number: int = Field(default=0, ge=0)
    generation: int = Field(ge=0)
    release: int = Field(ge=1)
    attempt: int = Field(ge=1)
    max_attempts: int = Field(ge=1)

    @property
    def key(self) -> str:
        """The chunk id: spreads the chunks of a task over all workers."""
        return str(self.chunk_id)


class MarketsRequestedV1(Event):
    """The market list of an exchange is wanted."""

    ce_type: ClassVar[str] = "candlelog.fetch.markets_requested.v1"
    topic: ClassVar[str] = "fetch.requested"

    exchange: str
    requested_at: AwareDatetime

    @property
    def key(self) -> str:
        """The exchange."""
        return self.exchange
