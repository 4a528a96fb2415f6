"""What has happened to jobs, tasks and chunks."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from candlelog.events.event import Event

JobStatus = Literal[
    "pending", "queued", "running", "paused",
    "completed", "completed_with_errors", "failed", "cancelled",
]  # fmt: skip


class _JobEvent(Event):
    topic: ClassVar[str] = "progress"

    job_id: UUID

    @property
    def key(self) -> str:
        """The job id."""
        return str(self.job_id)


class _ChunkEvent(_JobEvent):
    """Said about one chunk; folded in the order of `(generation, release)`, stored is final."""

    task_id: UUID
    chunk_id: UUID
    generation: int = Field(ge=0)
    release: int = Field(ge=1)


class JobAcceptedV1(_JobEvent):
    """The coordinator has planned the job; its `TaskPlannedV1` events went before."""

    ce_type: ClassVar[str] = "candlelog.progress.job_accepted.v1"

    tasks_total: int = Field(ge=1)
    chunks_total: int = Field(ge=0)
    slots_expected: int = Field(ge=0)
    slots_covered: int = Field(ge=0)
    """Slots that coverage explained before the job began."""
    accepted_at: AwareDatetime


class TaskPlannedV1(_JobEvent):
    """One series of a job, and how it will be fetched."""

    ce_type: ClassVar[str] = "candlelog.progress.task_planned.v1"

    task_id: UUID
    exchange: str
    symbol: str
    timeframe: str
    start: AwareDatetime
    end: AwareDatetime
    route: Literal["rest"] = "rest"
    route_reason: str
    chunks_total: int = Field(ge=0)
    slots_expected: int = Field(ge=0)
    slots_covered: int = Field(ge=0)
    planned_at: AwareDatetime


class ChunkReleasedV1(_ChunkEvent):
    """A chunk was given to the fetchers."""

    ce_type: ClassVar[str] = "candlelog.progress.chunk_released.v1"

    start: AwareDatetime
    end: AwareDatetime
    slots: int = Field(ge=1)
    attempt: int = Field(ge=1)
    released_at: AwareDatetime


class ChunkFetchedV1(_ChunkEvent):
    """The venue answered and the batches of the chunk are on the log."""

    ce_type: ClassVar[str] = "candlelog.progress.chunk_fetched.v1"

    candles: int = Field(ge=0)
    quarantined: int = Field(ge=0)
    parts: int = Field(ge=1)
    weight: float = Field(ge=0)
    """Budget spent, in the venue's unit."""
    fetched_by: str
    fetched_at: AwareDatetime


class ChunkDeferredV1(_ChunkEvent):
    """The venue cannot be asked now; the chunk goes back and uses up no attempt."""

    ce_type: ClassVar[str] = "candlelog.progress.chunk_deferred.v1"

    until: AwareDatetime
    reason: str
    deferred_at: AwareDatetime


class ChunkFailedV1(_ChunkEvent):
    """The venue's answer was a failure. Final when not transient or when attempts are used up."""

    ce_type: ClassVar[str] = "candlelog.progress.chunk_failed.v1"

    code: str
    message: str
    transient: bool
    attempt: int = Field(ge=1)
    max_attempts: int = Field(ge=1)
    failed_at: AwareDatetime

    @property
    def final(self) -> bool:
        """Whether the chunk is given up."""
        return not self.transient or self.attempt >= self.max_attempts


class BatchStoredV1(_ChunkEvent):
    """A batch is readable in ClickHouse, with its coverage."""

    ce_type: ClassVar[str] = "candlelog.progress.batch_stored.v1"

    part: int = Field(ge=0)
    last_part: bool
    candles: int = Field(ge=0)
    slots_explained: int = Field(ge=0)
    """Slots that now hold a candle or an answer of the venue; quarantined ones do not count."""
    quarantined: int = Field(ge=0)
    start: AwareDatetime
    end: AwareDatetime
    stored_at: AwareDatetime


class TaskStateChangedV1(_JobEvent):
    """A task moved to another state; the highest `version` of a task wins."""

    ce_type: ClassVar[str] = "candlelog.progress.task_state_changed.v1"

    task_id: UUID
    version: int = Field(ge=1)
    state: JobStatus
    reason: str | None = None
    changed_at: AwareDatetime


class JobStateChangedV1(_JobEvent):
    """A job moved to another state; the highest `version` of a job wins."""

    ce_type: ClassVar[str] = "candlelog.progress.job_state_changed.v1"

    version: int = Field(ge=1)
    generation: int = Field(ge=0)
    state: JobStatus
    reason: str | None = None
    changed_at: AwareDatetime


class CommandAnsweredV1(_JobEvent):
    """The coordinator's decision about a command, made on its own state."""

    ce_type: ClassVar[str] = "candlelog.progress.command_answered.v1"

    correlation_id: UUID
    command: Literal["cancel"]
    accepted: bool
    code: str
    """`accepted`, `unknown_job` or `invalid_transition`."""
    reason: str
    answered_at: AwareDatetime
