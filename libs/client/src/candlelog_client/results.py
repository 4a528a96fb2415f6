"""What the server answers, typed and frozen. Fields the client does not know are ignored."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

T = TypeVar("T")

FINISHED = frozenset({"completed", "completed_with_errors", "failed", "cancelled", "deleted"})
"""Statuses a job does not leave by itself."""


def _none_is_empty(value: Any) -> Any:
    return () if value is None else value


class Result(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Fault(Result):
    """Why a job or task failed; `transient` says whether trying again may help."""

    code: str
    message: str
    transient: bool = False


class MissingPeriod(Result):
    """Slots `[start, end)` of a series that nothing explains."""

    symbol: str
    timeframe: str
    start: datetime
    end: datetime


class Figures(Result):
    """Progress, the same for a job and for each of its tasks.

    `progress_pct` counts slots stored or explained over slots expected (0–100; 100 only when
    done); `features_stored` counts candles whose features were computed, chunk by chunk;
    durations and `eta_seconds` are in seconds. `data_quality_score` is the share of slots that
    are explained (0–1), None before an audit; `missing_periods` are the first that are not.
    """

    status: str
    reason: str | None = None
    progress_pct: float = 0.0
    candles_expected: int = 0
    candles_covered: int = 0
    candles_explained: int = 0
    candles_fetched: int = 0
    candles_stored: int = 0
    candles_quarantined: int = 0
    features_stored: int = 0
    chunks_total: int = 0
    chunks_done: int = 0
    chunks_failed: int = 0
    eta_seconds: float | None = None
    candles_per_second: float | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_seconds: float | None = None
    attempts: int = 0
    error: Fault | None = None
    data_quality_score: float | None = None
    missing_periods: tuple[MissingPeriod, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen unless somebody asks."""
        return self.status in FINISHED


class PlannedTask(Result):
    """What a planned job would do for a series: `requests` to the venue, `files` of an archive
    that are read, and `feature_pieces`, stretches of stored candles to compute features of.

    `missing_files` would hold what nothing is asked for; the first hundred of all.
    """

    symbol: str
    timeframe: str
    route: str
    route_reason: str
    start: datetime
    end: datetime
    candles_expected: int
    candles_covered: int
    requests: int
    files: int = 0
    missing_files: tuple[str, ...] = ()
    missing_files_total: int = 0
    feature_pieces: int


class Plan(Result):
    """What a job would do. `weight` is of the venue's budget; `seconds` is how long
    the budget makes that take, where neither another job nor anybody else uses it."""

    exchange: str
    tasks_total: int
    candles_expected: int
    candles_covered: int
    requests: int
    feature_pieces: int
    weight: float
    capacity_per_minute: float
    seconds: float
    tasks: tuple[PlannedTask, ...]


class Task(Figures):
    """One series of a job."""

    id: str
    exchange: str
    symbol: str
    timeframe: str
    start: datetime | None = None
    end: datetime | None = None
    features: bool = False
    route: str | None = None
    route_reason: str | None = None
    current_open_time: datetime | None = None


class Step(Result):
    """One step of a job: waiting, running, completed or stopped."""

    name: str
    status: str


class Job(Figures):
    """What was asked for, and how far it is. `tasks` holds the first page of them."""

    id: str
    kind: str = "backfill"
    label: str | None = None
    exchange: str = ""
    symbols: tuple[str, ...] | None = None
    timeframes: tuple[str, ...] | None = None
    start: datetime | None = None
    end: datetime | None = None
    source: str = "auto"
    features: bool = False
    feature_sets: tuple[str, ...] = ()
    incremental: bool = True
    priority: int = 5
    max_attempts: int = 3
    submitted_by: str | None = None
    created_at: datetime | None = None
    current_step: str | None = None
    steps: tuple[Step, ...] = ()
    tasks_total: int = 0
    tasks_done: int = 0
    tasks_failed: int = 0
    tasks: Annotated[tuple[Task, ...], BeforeValidator(_none_is_empty)] = ()


class Page(Result, Generic[T]):
    """One keyset page; `next` is the cursor of the page after it, None at the end."""

    items: tuple[T, ...]
    next: str | None = None


class ActionResult(Result):
    """What became of an action for one job; `reason` says why where it was refused."""

    job_id: str
    accepted: bool
    code: str
    reason: str


class Build(Result):
    """One build of a feature set: a version, and which of its computations this is.

    `state` is serving (readers see it), beside (it is kept up), closed, or None before it is begun.
    """

    version: int
    build: int
    state: str | None = None


class ColumnDifference(Result):
    """In how many rows a column differs, and by what at most: the distance of the two values over
    the larger one, 0 to 2; None where no two numbers differ.
    """

    column: str
    rows_changed: int
    largest_relative_change: float | None = None


class Difference(Result):
    """Rows of two builds, compared as they are stored now."""

    rows_compared: int
    rows_equal: int
    rows_changed: int
    rows_only_old: int
    rows_only_new: int
    columns: tuple[ColumnDifference, ...] = ()
    columns_only_old: tuple[str, ...] = ()
    columns_only_new: tuple[str, ...] = ()

    @property
    def columns_changed(self) -> tuple[ColumnDifference, ...]:
        """Those in which any row differs."""
        return tuple(each for each in self.columns if each.rows_changed)


class ReplayedSeries(Result):
    """A series of a replay: what is computed (`new`), and what it takes the place of (`old`)."""

    exchange: str
    symbol: str
    timeframe: str
    old: Build
    new: Build
    difference: Difference | None = None


class Replay(Result):
    """A replay of features: its job, and what differs of each series that is planned."""

    job: Job
    kind: Literal["features"] = "features"
    feature_set: str = ""
    switched: bool = False
    series: tuple[ReplayedSeries, ...] = ()
    next: str | None = None


class LimitWindow(Result):
    """A window of a budget `[start, end)`, in exchange time."""

    id: int
    start: datetime
    end: datetime


class Limit(Result):
    """One budget: weights per window, in the venue's unit; `utilisation` is used over
    capacity, above 1 where others use more than a ceiling allows us.

    `used` is what the venue says everybody used in the newest window, None while it has not.
    """

    budget: str
    capacity: float | None = None
    window: LimitWindow | None = None
    window_seconds: float | None = None
    granted: float = 0.0
    used: float | None = None
    utilisation: float | None = None
    foreign: float | None = None
    backoff_until: datetime | None = None
    allocator: str | None = None


class Component(Result):
    """A service or a store; `lag` counts records not yet handled."""

    name: str
    state: str
    detail: str | None = None
    instances: int | None = None
    lag: int | None = None


class Health(Result):
    """`healthy`, `degraded` or `down`, with each component, and jobs of 24 h by status."""

    status: str
    sandbox: bool = False
    components: tuple[Component, ...] = ()
    jobs_24h: dict[str, int] = {}
    failure_rate_24h: float | None = None
