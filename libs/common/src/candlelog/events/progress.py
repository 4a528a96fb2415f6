"""What has happened to jobs, tasks and chunks."""

from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from candlelog.events.event import Event
from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.events.fields import (
    Count,
    Name,
    Ordinal,
    Positive,
    PositiveCount,
    Text,
    Time,
    Weight,
)
from candlelog.events.jobs import SteerAction, SwitchAction

JobStatus = Literal[
    "pending", "queued", "running", "paused",
    "completed", "completed_with_errors", "failed", "cancelled", "deleted",
]  # fmt: skip

MISSING_NAMED: Final = 100
MissingFiles = Annotated[tuple[Text, ...], Field(max_length=MISSING_NAMED)]
"""Files that are not there, and would hold slots that nothing is asked for: the first of them."""


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
    generation: Ordinal
    release: Positive


class JobAcceptedV1(_JobEvent):
    """The coordinator has planned the job; its `TaskPlannedV1` events went before."""

    ce_type: ClassVar[str] = "candlelog.progress.job_accepted.v1"

    tasks_total: Positive
    chunks_total: Count
    slots_expected: Count
    slots_covered: Count
    """Slots that coverage explained before the job began."""
    accepted_at: Time


class TaskPlannedV1(_JobEvent):
    """One series of a job, and how it will be fetched."""

    ce_type: ClassVar[str] = "candlelog.progress.task_planned.v1"

    task_id: UUID
    exchange: Name
    symbol: Name
    timeframe: Name
    start: Time
    end: Time
    route: Literal["rest", "archive", "both"] = "rest"
    features: bool = False
    """Whether its chunks are through only when their features are stored."""
    route_reason: Text
    files: Count = 0
    """Files of an archive that are read."""
    missing_files: MissingFiles = ()
    missing_files_total: Count = 0
    chunks_total: Count
    slots_expected: Count
    slots_covered: Count
    planned_at: Time


class ReplayPlannedV1(_JobEvent):
    """One series of a replay of features: nothing is fetched, and its slots are not audited."""

    ce_type: ClassVar[str] = "candlelog.progress.replay_planned.v1"

    task_id: UUID
    exchange: Name
    symbol: Name
    timeframe: Name
    start: Time
    end: Time
    feature_set: Name
    new: FeatureBuildRef
    """What is computed."""
    old: FeatureBuildRef
    """What was served when this was planned: `new` is compared with it, and takes its place."""
    chunks_total: Count
    planned_at: Time


class ChunkReleasedV1(_ChunkEvent):
    """A chunk was given to the fetchers, or to those who compute features."""

    ce_type: ClassVar[str] = "candlelog.progress.chunk_released.v1"

    start: Time
    end: Time
    route: Literal["rest", "archive", "features"] = "rest"
    """Of `features`: nothing is fetched, and the chunk is through when its features are stored."""
    slots: PositiveCount
    attempt: Positive
    released_at: Time


class ChunkFetchedV1(_ChunkEvent):
    """The venue answered and the batches of the chunk are on the log."""

    ce_type: ClassVar[str] = "candlelog.progress.chunk_fetched.v1"

    candles: Count
    quarantined: Count
    parts: Positive
    weight: Weight
    """Budget spent, in the venue's unit."""
    fetched_by: Text
    fetched_at: Time


class ChunkDeferredV1(_ChunkEvent):
    """The venue cannot be asked now; the chunk goes back and uses up no attempt."""

    ce_type: ClassVar[str] = "candlelog.progress.chunk_deferred.v1"

    until: Time
    reason: Text
    deferred_at: Time


class ChunkFailedV1(_ChunkEvent):
    """The venue's answer was a failure. Final when not transient or when attempts are used up."""

    ce_type: ClassVar[str] = "candlelog.progress.chunk_failed.v1"

    code: Text
    message: Text
    transient: bool
    attempt: Positive
    max_attempts: Positive
    failed_at: Time

    @property
    def final(self) -> bool:
        """Whether the chunk is given up."""
        return not self.transient or self.attempt >= self.max_attempts


class BatchStoredV1(_ChunkEvent):
    """A batch is readable in ClickHouse, with its coverage."""

    ce_type: ClassVar[str] = "candlelog.progress.batch_stored.v1"

    part: Ordinal
    last_part: bool
    candles: Count
    slots_explained: Count
    """Slots that now hold a candle or an answer of the venue; quarantined ones do not count."""
    quarantined: Count
    start: Time
    end: Time
    stored_at: Time


class FileReadV1(_ChunkEvent):
    """A file of an archive was read for a chunk, or refused.

    What is said of rows is of those that the chunk asked for.
    """

    ce_type: ClassVar[str] = "candlelog.progress.file_read.v1"

    exchange: Name
    symbol: Name
    timeframe: Name
    archive: Name
    path: Text
    version: Text
    sha256: Text
    """Of the whole file; empty where it could not be read whole."""
    size: Count
    rows: Count
    quarantined: Count
    first: Time | None = None
    last: Time | None = None
    """Open times of the first and the last row."""
    missing: Count = 0
    """Slots that were asked for of which it has no row."""
    differing: Count = 0
    """Slots that were asked for of which the files of their days, beside that of the month, say
    something else; these are not stored."""
    start: Time | None = None
    end: Time | None = None
    """What was asked of it, where it was read."""
    refused: Text | None = None
    """Why nothing of it is stored: `code: message`."""
    read_at: Time


class FeaturesStoredV1(_ChunkEvent):
    """Every candle stored of a part of the chunk has its features, readable in ClickHouse; with the
    last part all have."""

    ce_type: ClassVar[str] = "candlelog.progress.features_stored.v1"

    part: Ordinal = 0
    last_part: bool = True
    features: Count
    stored_at: Time


class TaskStateChangedV1(_JobEvent):
    """A task moved to another state; the highest `version` of a task wins."""

    ce_type: ClassVar[str] = "candlelog.progress.task_state_changed.v1"

    task_id: UUID
    version: Positive
    state: JobStatus
    reason: Text | None = None
    changed_at: Time


class MissingPeriod(BaseModel):
    """Slots `[start, end)` of a task that nothing explains."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Time
    end: Time


class TaskAuditedV1(_JobEvent):
    """How complete the range of an ended task is; said again when that changes, the last counts."""

    ce_type: ClassVar[str] = "candlelog.progress.task_audited.v1"

    task_id: UUID
    slots_expected: Count
    slots_explained: Count
    slots_unknown: Count
    missing: tuple[MissingPeriod, ...] = Field(default=(), max_length=100)
    """The first of the periods that are unknown."""
    audited_at: Time


class JobStateChangedV1(_JobEvent):
    """A job moved to another state; the highest `version` of a job wins."""

    ce_type: ClassVar[str] = "candlelog.progress.job_state_changed.v1"

    version: Positive
    generation: Ordinal
    state: JobStatus
    reason: Text | None = None
    changed_at: Time


class PlanTaskAnsweredV1(_JobEvent):
    """What a planned job would do for a series; `job_id` names the plan.

    `requests` go to the venue; `files` of an archive are read; `pieces` are stretches of what is
    stored whose features would be computed.
    """

    ce_type: ClassVar[str] = "candlelog.progress.plan_task_answered.v1"

    symbol: Name
    timeframe: Name
    route: Name
    route_reason: Text
    files: Count = 0
    missing_files: MissingFiles = ()
    missing_files_total: Count = 0
    start: Time
    end: Time
    slots_expected: Count
    slots_covered: Count
    requests: Count
    pieces: Count


class PlanAnsweredV1(_JobEvent):
    """The sums over the series of a plan, behind all of them; or why there is none (`refused`).

    `weight` is what the requests cost of the venue's budget.
    """

    ce_type: ClassVar[str] = "candlelog.progress.plan_answered.v1"

    series: Count = 0
    slots_expected: Count = 0
    slots_covered: Count = 0
    requests: Count = 0
    pieces: Count = 0
    weight: Weight = 0.0
    refused: Text | None = None
    answered_at: Time


class CommandAnsweredV1(_JobEvent):
    """The coordinator's decision about a command, made on its own state."""

    ce_type: ClassVar[str] = "candlelog.progress.command_answered.v1"

    correlation_id: UUID
    command: SteerAction
    accepted: bool
    code: Text
    """`accepted`, `unknown_job`, `unknown_task`, `nothing_to_do` or `invalid_transition`."""
    reason: Text
    answered_at: Time


class ReplayAnsweredV1(_JobEvent):
    """The coordinator's decision about what a replay has written, made on its own state."""

    ce_type: ClassVar[str] = "candlelog.progress.replay_answered.v1"

    correlation_id: UUID
    action: SwitchAction
    accepted: bool
    code: Text
    """`accepted`, or why not."""
    reason: Text
    answered_at: Time
