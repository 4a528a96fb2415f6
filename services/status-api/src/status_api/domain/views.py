"""What a job and a task look like from outside. The OpenAPI document is made from these."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from candlelog.events.progress import JobStatus

StepStatus = Literal["waiting", "running", "completed", "stopped"]


class View(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(View):
    """One step of a job."""

    name: Literal["plan", "fetch", "store", "features"]
    status: StepStatus


class Fault(View):
    """What went wrong last; `transient` says whether trying again may help."""

    code: str
    message: str
    transient: bool


class MissingPeriod(View):
    """Slots `[start, end)` of a series that nothing explains."""

    symbol: str
    timeframe: str
    start: datetime
    end: datetime


class FiguresView(View):
    """How far a job or a task is."""

    status: JobStatus
    reason: str | None = Field(description="why it is in this state, where that needs saying")
    progress_pct: float = Field(
        description="slots stored or explained over slots expected; 100 only when done, and lower"
        " again only after a retry"
    )
    candles_expected: int = Field(description="slots of the range: candles that can exist")
    candles_covered: int = Field(description="slots that were explained before the job began")
    candles_explained: int = Field(
        description="slots this job stored, or got an answer of the venue for"
    )
    candles_fetched: int
    candles_stored: int
    candles_quarantined: int = Field(description="rows that broke a rule and were set aside")
    features_stored: int = Field(
        description="candles whose features were computed, chunk by chunk: one that stands in "
        "several (its page, and the history of its series) is counted for each, and stored once"
    )
    chunks_total: int = Field(
        description="as planned: requests to the venue, and pieces of history to add features to"
    )
    chunks_done: int = Field(description="stored, with their features where these were asked for")
    chunks_failed: int
    eta_seconds: float | None
    candles_per_second: float | None
    started_at: datetime | None
    completed_at: datetime | None
    duration_seconds: float | None
    attempts: int = Field(description="the highest attempt any chunk has needed")
    error: Fault | None
    data_quality_score: float | None = Field(
        description="slots explained over slots expected, 0–1, as audited once a task has ended; "
        "1 only where every slot is explained"
    )
    missing_periods: tuple[MissingPeriod, ...] = Field(
        description="the first 100 periods that nothing explains"
    )


class TaskView(FiguresView):
    """One series of a job."""

    id: UUID
    job_id: UUID
    exchange: str
    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    features: bool
    route: str
    route_reason: str
    current_open_time: datetime | None = Field(description="start of the newest chunk released")


class JobView(FiguresView):
    """What was asked for, and how far it is."""

    id: UUID
    kind: str
    label: str | None
    exchange: str
    symbols: tuple[str, ...] = Field(description="left out of live deltas, as `timeframes` is")
    timeframes: tuple[str, ...]
    start: datetime
    end: datetime
    source: str
    features: bool
    feature_sets: tuple[str, ...] = Field(description="what `features` stands for: `default/1`")
    incremental: bool
    priority: int
    max_attempts: int
    submitted_by: str = Field(description="name of the token")
    created_at: datetime
    current_step: str | None
    steps: tuple[Step, ...]
    tasks_total: int
    tasks_done: int
    tasks_failed: int
    tasks: tuple[TaskView, ...] = Field(
        default=(), description="the first 100 of them; left out of lists of jobs"
    )


class JobPage(View):
    """Jobs, newest first, without `tasks`."""

    items: tuple[JobView, ...]
    next: str | None


class TaskPage(View):
    """Tasks in the order they were planned."""

    items: tuple[TaskView, ...]
    next: str | None
