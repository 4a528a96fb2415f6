"""Tasks as they were planned, and what a batch of progress says of them."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, TypeGuard
from uuid import UUID

from candlelog.events.codec import Message
from candlelog.events.progress import (
    BatchStoredV1,
    JobStateChangedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)
from candlelog.market.series import Series
from candlelog.market.states import TERMINAL

ProgressEvent = BatchStoredV1 | JobStateChangedV1 | TaskPlannedV1 | TaskStateChangedV1

_ENDED: Final = frozenset(status.value for status in TERMINAL)


@dataclass(frozen=True, slots=True)
class Task:
    """One series of a job; its slots open in `[start, end)`, which may be empty."""

    task_id: UUID
    job_id: UUID
    series: Series
    start: datetime
    end: datetime


class State(NamedTuple):
    """The newest state that is known of a job or a task; the highest version is the newest."""

    version: int
    ended: bool


@dataclass(frozen=True, slots=True)
class News:
    """What a batch of events says: `stored` are the tasks of which a batch of candles was stored,
    which also happens after the end of a task."""

    planned: Mapping[UUID, Task]
    tasks: Mapping[UUID, State]
    jobs: Mapping[UUID, State]
    stored: Set[UUID]

    @property
    def ended_jobs(self) -> Set[UUID]:
        """Jobs that have ended with this batch."""
        return {job_id for job_id, state in self.jobs.items() if state.ended}

    @property
    def stirred_tasks(self) -> Set[UUID]:
        """Tasks to be audited, if they have ended by now."""
        return self.stored | {task_id for task_id, state in self.tasks.items() if state.ended}


def concerns_audits(event: Message) -> TypeGuard[ProgressEvent]:
    """Whether the event says anything to the auditor."""
    return isinstance(event, BatchStoredV1 | JobStateChangedV1 | TaskPlannedV1 | TaskStateChangedV1)


def read(events: Iterable[ProgressEvent]) -> News:
    """Put together what the events say, in whatever order they come."""
    planned: dict[UUID, Task] = {}
    tasks: dict[UUID, State] = {}
    jobs: dict[UUID, State] = {}
    stored: set[UUID] = set()
    for event in events:
        match event:
            case TaskPlannedV1():
                planned[event.task_id] = _task(event)
            case TaskStateChangedV1():
                tasks[event.task_id] = _newest(tasks.get(event.task_id), event)
            case JobStateChangedV1():
                jobs[event.job_id] = _newest(jobs.get(event.job_id), event)
            case BatchStoredV1():
                stored.add(event.task_id)
    return News(planned, tasks, jobs, stored)


def _task(event: TaskPlannedV1) -> Task:
    series = Series(event.exchange, event.symbol, event.timeframe)
    return Task(event.task_id, event.job_id, series, event.start, event.end)


def _newest(known: State | None, event: JobStateChangedV1 | TaskStateChangedV1) -> State:
    said = State(event.version, event.state in _ENDED)
    return said if known is None else max(known, said)
