"""From rows to what a user sees: progress, speed, the time left, steps."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from status_api.domain.rows import Figures, JobRow, Submission, TaskRow
from status_api.domain.states import finished
from status_api.domain.views import Fault, JobView, MissingPeriod, Step, StepStatus, TaskView

_BEFORE_THE_END: Final = 99.9
_COMPLETED: Final = frozenset({"completed", "completed_with_errors"})


def job_view(
    submission: Submission,
    job: JobRow,
    now: datetime,
    *,
    missing: Sequence[Mapping[str, str]] = (),
    tasks: Iterable[TaskRow] = (),
) -> JobView:
    """The job as of `now`; `missing` are its missing periods, `tasks` the page of them to show."""
    replay = submission.kind == "replay"
    steps = (_replay_steps if replay else _steps)(job, features=submission.features)
    return JobView(
        id=submission.job_id,
        kind=submission.kind,
        label=submission.label,
        exchange=submission.exchange,
        symbols=submission.symbols,
        timeframes=submission.timeframes,
        start=submission.range_start,
        end=submission.range_end,
        source=submission.source,
        features=submission.features,
        feature_sets=submission.feature_sets,
        incremental=submission.incremental,
        priority=submission.priority,
        max_attempts=submission.max_attempts,
        submitted_by=submission.submitted_by,
        created_at=submission.submitted_at,
        current_step=next((step.name for step in steps if step.status == "running"), None),
        steps=steps,
        tasks_total=job.tasks_total,
        tasks_done=job.tasks_done,
        tasks_failed=job.tasks_failed,
        missing_periods=tuple(MissingPeriod.model_validate(period) for period in missing),
        tasks=tuple(task_view(task, now) for task in tasks),
        **_figures(job, now),
    )


def task_view(task: TaskRow, now: datetime) -> TaskView:
    """The task as of `now`; it must be planned."""
    return TaskView.model_validate(
        {
            "id": task.task_id,
            "job_id": task.job_id,
            "exchange": task.exchange,
            "symbol": task.symbol,
            "timeframe": task.timeframe,
            "start": task.range_start,
            "end": task.range_end,
            "features": task.features,
            "route": task.route,
            "route_reason": task.route_reason,
            "current_open_time": task.current_open_time,
            "missing_periods": [
                {**period, "symbol": task.symbol, "timeframe": task.timeframe}
                for period in task.missing
            ],
            **_figures(task, now),
        }
    )


def progress(row: Figures) -> float:
    """Percent of the expected slots that are stored or explained; 100 only when done.

    Where no slot is expected, as of a replay, chunks are what there is to count.
    """
    if row.state == "completed":
        return 100.0
    done, of = row.slots_covered + row.slots_explained, row.slots_expected
    if not of:
        done, of = row.chunks_done, max(row.chunks_total, 1)
    limit = 100.0 if row.state == "completed_with_errors" else _BEFORE_THE_END
    return min(10_000 * done // of / 100, limit)  # rounded down: the last slot counts


def _figures(row: Figures, now: datetime) -> dict[str, Any]:
    seconds = _seconds(row, now)
    return {
        "status": row.state,
        "reason": row.reason,
        "progress_pct": progress(row),
        "candles_expected": row.slots_expected,
        "candles_covered": row.slots_covered,
        "candles_explained": row.slots_explained,
        "candles_fetched": row.candles_fetched,
        "candles_stored": row.candles_stored,
        "candles_quarantined": row.quarantined,
        "features_stored": row.features_stored,
        "chunks_total": row.chunks_total,
        "chunks_done": row.chunks_done,
        "chunks_failed": row.chunks_failed,
        "eta_seconds": _eta(row, seconds),
        "candles_per_second": round(row.candles_stored / seconds, 1) if seconds else None,
        "started_at": row.started_at,
        "completed_at": row.completed_at,
        "duration_seconds": seconds,
        "attempts": row.attempts,
        "error": _fault(row),
        "data_quality_score": _quality(row),
    }


def _quality(row: Figures) -> float | None:
    if not row.slots_audited:
        return None
    explained = row.slots_audited - row.slots_unknown
    return 1.0 if not row.slots_unknown else min(round(explained / row.slots_audited, 6), 0.999999)


def _seconds(row: Figures, now: datetime) -> float | None:
    if row.started_at is None:
        return None
    return round(max(((row.completed_at or now) - row.started_at).total_seconds(), 0.0), 3)


def _eta(row: Figures, seconds: float | None) -> float | None:
    """By slots or by chunks, whichever takes longer: a chunk is done with its features. Nothing is
    known of what has not begun."""
    if row.state != "running" or not seconds:
        return None
    slots_left = max(row.slots_expected - row.slots_covered - row.slots_explained, 0)
    chunks_left = max(row.chunks_total - row.chunks_done - row.chunks_failed, 0)
    parts = [(slots_left, row.slots_explained), (chunks_left, row.chunks_done)]
    if any(left and not done for left, done in parts):
        return None
    return round(max(left * seconds / max(done, 1) for left, done in parts), 1)


def _fault(row: Figures) -> Fault | None:
    if row.state == "completed":
        return None
    if row.state == "completed_with_errors" and not row.chunks_failed:
        if row.quarantined:
            refused = "1 row was" if row.quarantined == 1 else f"{row.quarantined:,} rows were"
            message = f"{refused} refused: GET /quarantine tells why"
            return Fault(code="quarantined", message=message, transient=False)
        beyond = row.slots_expected - row.slots_covered - row.slots_explained
        if row.chunks_done == row.chunks_total and beyond > 0:
            # Every page was answered, one for its end alone; or no file holds what was asked for,
            # or the one that was read lacks it.
            message = (
                f"{beyond:,} candles are in no file that is there, or older than those that the "
                "venue still answers; GET /gaps names them, and the next job of this range asks "
                "for those that can be asked for"
            )
            return Fault(code="out_of_reach", message=message, transient=False)
    if row.error_code is not None:
        message, transient = row.error_message or "", bool(row.error_transient)
        return Fault(code=row.error_code, message=message, transient=transient)
    if row.state == "failed":
        return Fault(code="failed", message=row.reason or "no reason given", transient=False)
    return None


def _steps(job: JobRow, *, features: bool) -> tuple[Step, ...]:
    planned = job.accepted_at is not None
    failed, total = job.chunks_failed, job.chunks_total
    to_fetch = total - job.feature_chunks
    stored = job.chunks_stored + failed >= to_fetch
    computing = job.chunks_stored > 0 or job.feature_chunks > 0
    steps = (
        Step(name="plan", status=_step(job, begun=True, done=True)),
        Step(name="fetch", status=_step(job, begun=planned, done=job.chunks_fetched >= to_fetch)),
        Step(name="store", status=_step(job, begun=job.chunks_fetched > 0, done=stored)),
    )
    if not features:
        return steps
    done = job.chunks_done + failed >= total
    return (*steps, Step(name="features", status=_step(job, begun=computing, done=done)))


def _replay_steps(job: JobRow, *, features: bool) -> tuple[Step, ...]:
    """Nothing is fetched: features are stored, or candles are stored again."""
    done = job.chunks_done + job.chunks_failed >= job.chunks_total
    return (
        Step(name="plan", status=_step(job, begun=True, done=True)),
        Step(
            name="features" if features else "store",
            status=_step(job, begun=job.accepted_at is not None, done=done),
        ),
    )


def _step(job: JobRow, *, begun: bool, done: bool) -> StepStatus:
    """Of a step of a job; before the job is planned nothing is known to be done."""
    if job.accepted_at is not None and (done or job.state in _COMPLETED):
        return "completed"
    if finished(job.state):
        return "stopped"
    return "running" if begun else "waiting"
