"""Events onto rows: the whole meaning of the projection, and nothing else.

The events of a job stand in one partition of each topic, in order. Folding an event twice changes
nothing the second time: states move by version, and counters move with the chunk's own row. Of a
job that was deleted nothing is folded any more.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from candlelog.events.codec import Message
from candlelog.events.gaps import GapChangedV1, GapClosedV1, GapOpenedV1
from candlelog.events.jobs import FillGapsV1, ReplayCandlesV1, ReplayFeaturesV1, SubmitJobV1
from candlelog.events.progress import (
    BatchStoredV1,
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
    ChunkReleasedV1,
    CommandAnsweredV1,
    FeaturesStoredV1,
    FileReadV1,
    JobAcceptedV1,
    JobStateChangedV1,
    ReplayAnsweredV1,
    ReplayPlannedV1,
    TaskAuditedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)
from candlelog.events.rebuild import PartRebuiltV1, ShadowChangedV1
from candlelog.market.states import Status
from status_api.domain import chunks, shadows
from status_api.domain.rows import (
    Answer,
    FileRow,
    GapFill,
    GapRow,
    JobRow,
    Keys,
    Periods,
    Replay,
    Rows,
    ShadowRow,
    TaskRow,
)
from status_api.domain.states import change_state, finished
from status_api.domain.submitted import Command, submission

_CHUNK_EVENTS: Final = frozenset(
    {
        ChunkReleasedV1, ChunkFetchedV1, ChunkDeferredV1, ChunkFailedV1, BatchStoredV1,
        FeaturesStoredV1,
    }
)  # fmt: skip
_TASK_EVENTS: Final = _CHUNK_EVENTS | {
    TaskPlannedV1, ReplayPlannedV1, TaskStateChangedV1, TaskAuditedV1,
}  # fmt: skip
_SHADOW_EVENTS: Final = frozenset({ShadowChangedV1, PartRebuiltV1})
_JOB_EVENTS: Final = _TASK_EVENTS | _SHADOW_EVENTS | {JobAcceptedV1, JobStateChangedV1}
_FILES: Final = uuid5(NAMESPACE_URL, "candlelog:file")
_GAP_EVENTS: Final = frozenset({GapOpenedV1, GapChangedV1, GapClosedV1})
# By type, not isinstance: that costs pydantic's classes microseconds, and this is the hot path.


@dataclass(frozen=True, slots=True)
class Landed:
    """An event and where it stands."""

    event: Message
    partition: int
    offset: int


def keys(landed: Iterable[Landed]) -> Keys:
    """The rows that folding these events will look at."""
    jobs: set[UUID] = set()
    tasks: set[UUID] = set()
    chunk_ids: set[UUID] = set()
    gaps: set[UUID] = set()
    shadow_ids: set[UUID] = set()
    files: set[UUID] = set()
    for each in landed:
        event: Any = each.event
        kind = type(event)
        if kind in _JOB_EVENTS:
            jobs.add(event.job_id)
        if kind in _TASK_EVENTS:
            tasks.add(event.task_id)
        if kind in _CHUNK_EVENTS:
            chunk_ids.add(event.chunk_id)
        if kind in _GAP_EVENTS:
            gaps.add(event.gap_id)
        if kind in _SHADOW_EVENTS:
            shadow_ids.add(event.job_id)
        if kind is FileReadV1:
            files.add(_file_id(event))
    found = (jobs, tasks, chunk_ids, gaps, shadow_ids, files)
    return Keys(*(frozenset(each) for each in found))


def fold(known: Rows, landed: Sequence[Landed]) -> Rows:
    """The rows to write after `landed`, given those that stood; `known` is used up."""
    changed = Rows()
    for each in landed:
        step = _STEPS.get(type(each.event))
        if step is not None and not _of_deleted(known, each.event):
            step(_Batch(known, changed, each), each.event)
    return changed


def _of_deleted(known: Rows, event: Any) -> bool:
    if type(event) not in _JOB_EVENTS:
        return False
    job = known.jobs.get(event.job_id)
    return job is not None and job.state == Status.DELETED


@dataclass(frozen=True, slots=True)
class _Batch:
    """Finds the row an event is about, makes it if there is none, and marks it as changed."""

    known: Rows
    changed: Rows
    at: Landed

    def job(self, job_id: UUID) -> JobRow:
        row = self.known.jobs.get(job_id)
        if row is None:
            row = JobRow(
                job_id=job_id, progress_partition=self.at.partition, progress_offset=self.at.offset
            )
            self.known.jobs[job_id] = row
        self.changed.jobs[job_id] = row
        row.progress_offset = self.at.offset
        return row

    def task(self, task_id: UUID, job_id: UUID) -> TaskRow:
        row = self.known.tasks.get(task_id)
        if row is None:
            row = TaskRow(task_id=task_id, job_id=job_id, progress_offset=self.at.offset)
            self.known.tasks[task_id] = row
        self.changed.tasks[task_id] = row
        row.progress_offset = self.at.offset
        return row

    def shadow(self, job_id: UUID) -> ShadowRow:
        row = self.known.shadows.setdefault(job_id, ShadowRow(job_id=job_id))
        self.changed.shadows[job_id] = row
        return row


def _submitted(batch: _Batch, event: Command) -> None:
    if event.job_id in batch.changed.submissions:
        return
    at = batch.at
    batch.changed.submissions[event.job_id] = submission(event, at.partition, at.offset)
    if not isinstance(event, FillGapsV1):
        return
    for gap in event.gaps:
        fill_id = uuid5(event.job_id, str(gap.gap_id))
        batch.changed.fills[fill_id] = GapFill(
            fill_id=fill_id, gap_id=gap.gap_id, job_id=event.job_id
        )


def _shadow_changed(batch: _Batch, event: ShadowChangedV1) -> None:
    shadows.changed(batch.shadow(event.job_id), batch.job(event.job_id), event)


def _part_rebuilt(batch: _Batch, event: PartRebuiltV1) -> None:
    shadows.rebuilt(batch.shadow(event.job_id), batch.job(event.job_id), event)


def _accepted(batch: _Batch, event: JobAcceptedV1) -> None:
    job = batch.job(event.job_id)
    job.accepted_at = job.accepted_at or event.accepted_at
    job.tasks_total = event.tasks_total
    job.chunks_total = event.chunks_total
    job.slots_expected = event.slots_expected
    job.slots_covered = event.slots_covered


def _planned(batch: _Batch, event: TaskPlannedV1) -> None:
    job = batch.job(event.job_id)
    task = batch.task(event.task_id, event.job_id)
    if task.planned_offset is not None:
        return
    task.planned_offset = batch.at.offset
    task.exchange = event.exchange
    task.symbol = event.symbol
    task.timeframe = event.timeframe
    task.range_start = event.start
    task.range_end = event.end
    task.features = event.features
    task.route = event.route
    task.route_reason = event.route_reason
    task.chunks_total = event.chunks_total
    task.slots_expected = event.slots_expected
    task.slots_covered = event.slots_covered
    task.planned_at = event.planned_at
    chunks.count_done(task, job)


def _replay_planned(batch: _Batch, event: ReplayPlannedV1) -> None:
    job = batch.job(event.job_id)
    task = batch.task(event.task_id, event.job_id)
    if task.planned_offset is not None:
        return
    task.planned_offset = batch.at.offset
    task.exchange = event.exchange
    task.symbol = event.symbol
    task.timeframe = event.timeframe
    task.range_start = event.start
    task.range_end = event.end
    task.features = True
    task.route = "features"
    task.route_reason = "features are computed of what is stored"
    task.replay = Replay(
        feature_set=event.feature_set,
        version=event.new.version,
        build=event.new.build,
        old_version=event.old.version,
        old_build=event.old.build,
    )
    task.chunks_total = event.chunks_total
    task.planned_at = event.planned_at
    chunks.count_done(task, job)


def _job_state(batch: _Batch, event: JobStateChangedV1) -> None:
    change_state(batch.job(event.job_id), event)


def _task_state(batch: _Batch, event: TaskStateChangedV1) -> None:
    task = batch.task(event.task_id, event.job_id)
    before = task.state
    change_state(task, event)
    job = batch.job(event.job_id)
    job.tasks_done += _done(task.state) - _done(before)
    job.tasks_failed += (task.state == "failed") - (before == "failed")
    if finished(before) and not finished(task.state):
        _audited(task, job, expected=0, unknown=0, missing=Periods())


def _done(state: str) -> bool:
    return state in {"completed", "completed_with_errors"}


def _task_audited(batch: _Batch, event: TaskAuditedV1) -> None:
    """The newest audit of a task counts, unless the task goes on since; a job counts the sum over
    its tasks."""
    task, job = batch.task(event.task_id, event.job_id), batch.job(event.job_id)
    if not finished(task.state):
        return
    missing = Periods(
        {"start": period.start.isoformat(), "end": period.end.isoformat()}
        for period in event.missing
    )
    _audited(task, job, expected=event.slots_expected, unknown=event.slots_unknown, missing=missing)


def _audited(task: TaskRow, job: JobRow, *, expected: int, unknown: int, missing: Periods) -> None:
    """What an audit found; nothing, of a task that goes on after its end."""
    job.slots_audited += expected - task.slots_audited
    job.slots_unknown += unknown - task.slots_unknown
    task.slots_audited, task.slots_unknown = expected, unknown
    task.missing = missing


def _gap(batch: _Batch, event: GapOpenedV1 | GapChangedV1 | GapClosedV1) -> None:
    known = batch.known.gaps.get(event.gap_id)
    if known is not None and known.version >= event.version:
        return
    row = GapRow(
        gap_id=event.gap_id,
        version=event.version,
        exchange=event.exchange,
        symbol=event.symbol,
        timeframe=event.timeframe,
        range_start=event.start,
        range_end=event.end,
        slots=event.slots,
        state=event.state,
        job_id=event.job_id,
        detected_at=event.detected_at,
        changed_at=event.changed_at,
    )
    batch.known.gaps[event.gap_id] = batch.changed.gaps[event.gap_id] = row


def _file_id(event: FileReadV1) -> UUID:
    return uuid5(_FILES, f"{event.archive}|{event.path}")


def _file_read(batch: _Batch, event: FileReadV1) -> None:
    """The newest reading counts, whichever job it was for."""
    file_id = _file_id(event)
    known = batch.known.files.get(file_id)
    if known is not None and known.read_at >= event.read_at:
        return
    row = FileRow(
        file_id=file_id,
        archive=event.archive,
        path=event.path,
        exchange=event.exchange,
        symbol=event.symbol,
        timeframe=event.timeframe,
        sha256=event.sha256,
        size=event.size,
        rows_read=event.rows,
        rows_quarantined=event.quarantined,
        first_open_time=event.first,
        last_open_time=event.last,
        slots_missing=event.missing,
        slots_differing=event.differing,
        refused=event.refused,
        read_at=event.read_at,
        job_id=event.job_id,
    )
    batch.known.files[file_id] = batch.changed.files[file_id] = row


def _chunk(batch: _Batch, event: chunks.ChunkEvent) -> None:
    figures = (batch.task(event.task_id, event.job_id), batch.job(event.job_id))
    chunk = chunks.fold(batch.known.chunks.get(event.chunk_id), event, figures)
    if chunk is not None:
        batch.known.chunks[chunk.chunk_id] = batch.changed.chunks[chunk.chunk_id] = chunk


def _answered(batch: _Batch, event: CommandAnsweredV1 | ReplayAnsweredV1) -> None:
    batch.changed.answers.setdefault(
        event.correlation_id,
        Answer(
            correlation_id=event.correlation_id,
            job_id=event.job_id,
            command=event.command if isinstance(event, CommandAnsweredV1) else event.action,
            accepted=event.accepted,
            code=event.code,
            reason=event.reason,
            answered_at=event.answered_at,
        ),
    )


_STEPS: Final[dict[type[object], Callable[[_Batch, Any], None]]] = {
    SubmitJobV1: _submitted,
    FillGapsV1: _submitted,
    ReplayFeaturesV1: _submitted,
    ReplayCandlesV1: _submitted,
    ShadowChangedV1: _shadow_changed,
    PartRebuiltV1: _part_rebuilt,
    JobAcceptedV1: _accepted,
    TaskPlannedV1: _planned,
    ReplayPlannedV1: _replay_planned,
    JobStateChangedV1: _job_state,
    TaskStateChangedV1: _task_state,
    TaskAuditedV1: _task_audited,
    FileReadV1: _file_read,
    CommandAnsweredV1: _answered,
    ReplayAnsweredV1: _answered,
    **dict.fromkeys(_CHUNK_EVENTS, _chunk),
    **dict.fromkeys(_GAP_EVENTS, _gap),
}
