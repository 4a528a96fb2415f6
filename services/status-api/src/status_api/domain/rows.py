"""The rows of the projection. A row is changed in place while a batch of events is folded."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from candlelog.events.progress import JobStatus

Periods = list[dict[str, str]]
"""Half-open ranges of time in ISO 8601, each with `start` and `end`."""


class Replay(TypedDict):
    """Which build of a feature set a task computes, and the one that it is compared with."""

    feature_set: str
    version: int
    build: int
    old_version: int
    old_build: int


@dataclass(slots=True, kw_only=True)
class Submission:
    """What was asked for, and where the command stands on the log."""

    job_id: UUID
    command_partition: int
    command_offset: int
    kind: str
    exchange: str
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    range_start: datetime
    range_end: datetime
    source: str
    features: bool
    feature_sets: tuple[str, ...]
    incremental: bool
    priority: int
    max_attempts: int
    label: str | None
    submitted_by: str
    submitted_at: datetime
    request_digest: str | None


@dataclass(slots=True, kw_only=True)
class Figures:
    """What jobs and tasks count alike. `progress_offset` is the last offset that changed the row;
    `version` is that of the newest state. `feature_chunks` are those known to fetch nothing.
    """

    progress_offset: int
    version: int = 0
    state: JobStatus = "pending"
    reason: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    chunks_total: int = 0
    feature_chunks: int = 0
    chunks_fetched: int = 0
    chunks_stored: int = 0
    chunks_featurized: int = 0
    chunks_done: int = 0
    chunks_failed: int = 0
    slots_expected: int = 0
    slots_covered: int = 0
    slots_explained: int = 0
    candles_fetched: int = 0
    candles_stored: int = 0
    features_stored: int = 0
    quarantined: int = 0
    slots_audited: int = 0
    slots_unknown: int = 0
    attempts: int = 0
    error_code: str | None = None
    error_message: str | None = None
    error_transient: bool | None = None


@dataclass(slots=True, kw_only=True)
class JobRow(Figures):
    """How far a job is."""

    job_id: UUID
    progress_partition: int
    accepted_at: datetime | None = None
    tasks_total: int = 0
    tasks_done: int = 0
    tasks_failed: int = 0


@dataclass(slots=True, kw_only=True)
class TaskRow(Figures):
    """How far one series of a job is; the series is None until it is planned."""

    task_id: UUID
    job_id: UUID
    planned_offset: int | None = None
    exchange: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    range_start: datetime | None = None
    range_end: datetime | None = None
    features: bool = False
    route: str | None = None
    route_reason: str | None = None
    planned_at: datetime | None = None
    current_open_time: datetime | None = None
    missing: Periods = field(default_factory=Periods)
    replay: Replay | None = None


@dataclass(slots=True, kw_only=True)
class ChunkRow:
    """What is known of a chunk. `parts_stored` and `parts_featurized` count its batches, which
    come in order; `stored` and `featurized` stay once they are true.
    """

    chunk_id: UUID
    job_id: UUID
    task_id: UUID
    state: str
    generation: int
    release: int
    route: str = "rest"
    fetched: bool = False
    parts_stored: int = 0
    parts_featurized: int = 0
    stored: bool = False
    featurized: bool = False

    @property
    def complete(self) -> bool:
        """Whether its features are stored, and its candles unless it is for features alone."""
        return self.featurized and (self.stored or self.route == "features")


@dataclass(slots=True, kw_only=True)
class Answer:
    """The coordinator's decision about a command."""

    correlation_id: UUID
    job_id: UUID
    command: str
    accepted: bool
    code: str
    reason: str
    answered_at: datetime


@dataclass(slots=True, kw_only=True)
class ShadowRow:
    """A replay of candles. `parts` are how much of each is done, and how much there is."""

    job_id: UUID
    parts: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    switched: bool = False
    closed: bool = False


@dataclass(slots=True, kw_only=True)
class GapRow:
    """A gap as it was last told of."""

    gap_id: UUID
    version: int
    exchange: str
    symbol: str
    timeframe: str
    range_start: datetime
    range_end: datetime
    slots: int
    state: str
    job_id: UUID | None
    detected_at: datetime
    changed_at: datetime


@dataclass(slots=True, kw_only=True)
class FileRow:
    """A file of an archive as it was read, or refused, last; rows are those that were asked for."""

    file_id: UUID
    archive: str
    path: str
    exchange: str
    symbol: str
    timeframe: str
    sha256: str
    size: int
    rows_read: int
    rows_quarantined: int
    first_open_time: datetime | None
    last_open_time: datetime | None
    slots_missing: int
    slots_differing: int
    refused: str | None
    read_at: datetime
    job_id: UUID


@dataclass(slots=True, kw_only=True)
class GapFill:
    """A job was told to fill a gap."""

    fill_id: UUID
    gap_id: UUID
    job_id: UUID


@dataclass(frozen=True, slots=True)
class Keys:
    """The rows a batch of events may change."""

    jobs: frozenset[UUID] = frozenset()
    tasks: frozenset[UUID] = frozenset()
    chunks: frozenset[UUID] = frozenset()
    gaps: frozenset[UUID] = frozenset()
    shadows: frozenset[UUID] = frozenset()
    files: frozenset[UUID] = frozenset()


@dataclass(slots=True)
class Rows:
    """Rows by their key: those that stood already, or those to write.

    Submissions, fills and answers are only ever inserted, and the first of a key stays.
    """

    submissions: dict[UUID, Submission] = field(default_factory=dict[UUID, Submission])
    jobs: dict[UUID, JobRow] = field(default_factory=dict[UUID, JobRow])
    tasks: dict[UUID, TaskRow] = field(default_factory=dict[UUID, TaskRow])
    chunks: dict[UUID, ChunkRow] = field(default_factory=dict[UUID, ChunkRow])
    answers: dict[UUID, Answer] = field(default_factory=dict[UUID, Answer])
    gaps: dict[UUID, GapRow] = field(default_factory=dict[UUID, GapRow])
    fills: dict[UUID, GapFill] = field(default_factory=dict[UUID, GapFill])
    shadows: dict[UUID, ShadowRow] = field(default_factory=dict[UUID, ShadowRow])
    files: dict[UUID, FileRow] = field(default_factory=dict[UUID, FileRow])
