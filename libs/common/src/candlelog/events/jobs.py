"""Commands about jobs, and the control state that fences their work."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from candlelog.events.event import Event
from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.fields import Name, Ordinal, Text, Time

JobKind = Literal["backfill", "refresh", "gap_repair", "replay"]
Source = Literal["auto", "rest", "archive"]


class SubmitJobV1(Event):
    """Fetch these symbols × timeframes over `[start, end)`."""

    ce_type: ClassVar[str] = "candlelog.jobs.submit.v1"
    topic: ClassVar[str] = "jobs.commands"

    job_id: UUID
    kind: JobKind = "backfill"
    exchange: Name
    symbols: tuple[Name, ...] = Field(min_length=1, max_length=1000)
    timeframes: tuple[Name, ...] = Field(min_length=1, max_length=20)
    start: Time
    end: Time
    source: Source = "auto"
    features: bool = False
    feature_sets: tuple[FeatureSetRef, ...] = ()
    """What `features` stands for; empty without."""
    incremental: bool = True
    priority: int = Field(default=5, ge=0, le=9)
    max_attempts: int = Field(default=3, ge=1, le=10)
    label: Annotated[Text, Field(max_length=200)] | None = None
    submitted_by: Text
    submitted_at: Time
    request_digest: Annotated[Text, Field(max_length=64)] | None = None
    """SHA-256 of the request as its author wrote it, so that a repeated idempotency key can be told
    from a new request also where the request left times to the server ("now", "30d")."""

    @property
    def key(self) -> str:
        """The job id."""
        return str(self.job_id)


class PlanJobV1(Event):
    """Say what a job would do; its id names the plan. Answered by a `PlanTaskAnsweredV1` for each
    series, and then a `PlanAnsweredV1`; nothing is kept."""

    ce_type: ClassVar[str] = "candlelog.jobs.plan.v1"
    topic: ClassVar[str] = "jobs.commands"

    job: SubmitJobV1

    @property
    def key(self) -> str:
        """The id of the plan."""
        return self.job.key


class GapToFill(BaseModel):
    """Slots of a series that nothing explains: `[start, end)`, on the grid of the timeframe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap_id: UUID
    symbol: Name
    timeframe: Name
    start: Time
    end: Time


class FillGapsV1(Event):
    """Ask an exchange for these slots and no others: a job of kind `gap_repair`."""

    ce_type: ClassVar[str] = "candlelog.jobs.fill_gaps.v1"
    topic: ClassVar[str] = "jobs.commands"

    job_id: UUID
    exchange: Name
    gaps: tuple[GapToFill, ...] = Field(min_length=1, max_length=1000)
    priority: int = Field(default=5, ge=0, le=9)
    max_attempts: int = Field(default=3, ge=1, le=10)
    submitted_by: Text
    submitted_at: Time

    @property
    def key(self) -> str:
        """The job id."""
        return str(self.job_id)


class ReplayFeaturesV1(Event):
    """Compute a feature set of stored candles anew, beside what is served: a job of kind `replay`.

    `[start, end)` bounds the candles; without them it is all there are, and will be.
    """

    ce_type: ClassVar[str] = "candlelog.jobs.replay_features.v1"
    topic: ClassVar[str] = "jobs.commands"

    job_id: UUID
    exchange: Name
    symbols: tuple[Name, ...] = Field(min_length=1, max_length=1000)
    timeframes: tuple[Name, ...] = Field(min_length=1, max_length=20)
    feature_set: FeatureSetRef
    start: Time | None = None
    end: Time | None = None
    priority: int = Field(default=5, ge=0, le=9)
    label: Annotated[Text, Field(max_length=200)] | None = None
    submitted_by: Text
    submitted_at: Time
    request_digest: Annotated[Text, Field(max_length=64)] | None = None
    """SHA-256 of the request as its author wrote it."""

    @property
    def key(self) -> str:
        """The job id."""
        return str(self.job_id)


class ReplayCandlesV1(Event):
    """Build the tables of candles anew from the topic, in a shadow: a job of kind `replay`."""

    ce_type: ClassVar[str] = "candlelog.jobs.replay_candles.v1"
    topic: ClassVar[str] = "jobs.commands"

    job_id: UUID
    label: Annotated[Text, Field(max_length=200)] | None = None
    submitted_by: Text
    submitted_at: Time
    request_digest: Annotated[Text, Field(max_length=64)] | None = None
    """SHA-256 of the request as its author wrote it."""

    @property
    def key(self) -> str:
        """The job id."""
        return str(self.job_id)


SwitchAction = Literal["switch", "switch_back", "close"]


class SwitchReplayV1(Event):
    """Serve what a replay has written, or what was served before, or give up whichever of the two
    is not served; answered by `ReplayAnsweredV1` with the same correlation id.
    """

    ce_type: ClassVar[str] = "candlelog.jobs.switch_replay.v1"
    topic: ClassVar[str] = "jobs.commands"

    job_id: UUID
    correlation_id: UUID
    action: SwitchAction
    requested_by: Text
    requested_at: Time

    @property
    def key(self) -> str:
        """The job id."""
        return str(self.job_id)


SteerAction = Literal["cancel", "pause", "resume", "retry", "delete"]


class SteerJob(Event):
    """Asks for a change of a job, or of some of its tasks: those named and those of the symbols
    named; without either, the job. Answered by `CommandAnsweredV1` with the same correlation id.
    """

    topic: ClassVar[str] = "jobs.commands"
    action: ClassVar[SteerAction]

    job_id: UUID
    correlation_id: UUID
    symbols: tuple[Name, ...] = Field(default=(), max_length=1000)
    tasks: tuple[UUID, ...] = Field(default=(), max_length=1000)
    requested_by: Text
    requested_at: Time

    @property
    def key(self) -> str:
        """The job id."""
        return str(self.job_id)


class CancelJobV1(SteerJob):
    """Stop what is not over. It can be retried."""

    ce_type: ClassVar[str] = "candlelog.jobs.cancel.v1"
    action: ClassVar[SteerAction] = "cancel"


class PauseJobV1(SteerJob):
    """Start no request until it is resumed."""

    ce_type: ClassVar[str] = "candlelog.jobs.pause.v1"
    action: ClassVar[SteerAction] = "pause"


class ResumeJobV1(SteerJob):
    """Go on with what was paused."""

    ce_type: ClassVar[str] = "candlelog.jobs.resume.v1"
    action: ClassVar[SteerAction] = "resume"


class RetryJobV1(SteerJob):
    """Ask again for what failed, and go on with what was cancelled."""

    ce_type: ClassVar[str] = "candlelog.jobs.retry.v1"
    action: ClassVar[SteerAction] = "retry"


class DeleteJobV1(SteerJob):
    """Forget a job that is over, as a whole. What it stored stays."""

    ce_type: ClassVar[str] = "candlelog.jobs.delete.v1"
    action: ClassVar[SteerAction] = "delete"


class ListMarketsV1(Event):
    """Read the market list of an exchange anew; the answer is a `MarketsListedV1`."""

    ce_type: ClassVar[str] = "candlelog.jobs.list_markets.v1"
    topic: ClassVar[str] = "jobs.commands"

    exchange: Name
    requested_at: Time

    @property
    def key(self) -> str:
        """The exchange."""
        return self.exchange


class JobControlV1(Event):
    """The state that workers compare against right before they spend a request.

    The highest `generation` wins, and of those of one generation the last on the log.
    """

    ce_type: ClassVar[str] = "candlelog.jobs.control.v1"
    topic: ClassVar[str] = "jobs.control"

    job_id: UUID
    generation: Ordinal
    state: Literal["running", "paused", "cancelled"]
    stopped: tuple[UUID, ...] = ()
    """Tasks of a running job for which nothing may be started."""

    @property
    def key(self) -> str:
        """The job id."""
        return str(self.job_id)
