"""The events that say what audits found."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from candlelog.events.event import Event
from candlelog.events.gaps import GapChangedV1, GapClosedV1, GapOpenedV1
from candlelog.events.progress import MissingPeriod, TaskAuditedV1
from candlelog.market.slots import UNEXPLAINED, SlotRun
from gap_auditor.domain.gaps import Gap
from gap_auditor.domain.tasks import Task

_MOST_PERIODS: Final = 100


def opened(gap: Gap, version: int, at: datetime) -> Event:
    """The gap was not open before."""
    return GapOpenedV1(**_said(gap, version, at))


def changed(gap: Gap, version: int, at: datetime) -> Event:
    """The gap is not as it was, or is over."""
    kind = GapChangedV1 if gap.open else GapClosedV1
    return kind(**_said(gap, version, at))


def task_audited(task: Task, runs: Sequence[SlotRun], at: datetime) -> Event:
    """How complete the range of a task is."""
    missing = [run for run in runs if run.state in UNEXPLAINED]
    expected, unknown = (sum(run.slots for run in some) for some in (runs, missing))
    return TaskAuditedV1(
        job_id=task.job_id,
        task_id=task.task_id,
        slots_expected=expected,
        slots_explained=expected - unknown,
        slots_unknown=unknown,
        missing=tuple(
            MissingPeriod(start=run.start, end=run.end) for run in missing[:_MOST_PERIODS]
        ),
        audited_at=at,
    )


def _said(gap: Gap, version: int, at: datetime) -> dict[str, Any]:
    return {
        "gap_id": gap.gap_id,
        "version": version,
        "exchange": gap.series.exchange,
        "symbol": gap.series.symbol,
        "timeframe": gap.series.timeframe,
        "start": gap.start,
        "end": gap.end,
        "slots": gap.slots,
        "state": gap.state.value,
        "job_id": gap.job_id,
        "detected_at": gap.detected_at,
        "changed_at": at,
    }
