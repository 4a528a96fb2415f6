"""Chunks as they are given to the fetchers, for the first time or again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from candlelog.events.event import Event
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.progress import ChunkReleasedV1
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.delays import lease
from coordinator.domain.folding import ChunkState
from coordinator.domain.jobs import Job
from coordinator.domain.pieces import PASS_NUMBER, ROUTE, chunk_id, pieces
from coordinator.domain.planning import PlannedRange


@dataclass(frozen=True, slots=True)
class Released:
    """A chunk that is given out; `due_at` is the end of its lease."""

    job_id: UUID
    task_id: UUID
    chunk_id: UUID
    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    slots: int
    generation: int
    release: int
    attempt: int
    lapses: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A chunk whose lease or wait is over, as it was released before."""

    state: ChunkState
    chunk: Released


@dataclass(frozen=True, slots=True)
class Stretch:
    """Chunks `[first, end)` of a task, as far as they lie in one of its planned ranges."""

    job_id: UUID
    task_id: UUID
    symbol: str
    timeframe: str
    page_size: int
    first: int
    end: int
    planned: PlannedRange


def cut(stretch: Stretch, job: Job, now: datetime) -> Iterator[Released]:
    """The chunks of a stretch, in order of time, released for the first time."""
    series = Series(job.exchange, stretch.symbol, stretch.timeframe)
    frame = Timeframe.parse(stretch.timeframe)
    for piece in pieces(
        stretch.planned, frame, stretch.page_size, first=stretch.first, end=stretch.end
    ):
        yield Released(
            job_id=stretch.job_id,
            task_id=stretch.task_id,
            chunk_id=chunk_id(stretch.job_id, series, piece),
            symbol=stretch.symbol,
            timeframe=stretch.timeframe,
            start=piece.start,
            end=piece.end,
            slots=piece.slots,
            generation=job.generation,
            release=1,
            attempt=1,
            lapses=0,
            due_at=now + lease(0),
        )


def again(due: Due, now: datetime) -> Released:
    """The next release of a chunk. A lost lease counts as a lapse and uses up no attempt."""
    lapses = due.chunk.lapses + (due.state is ChunkState.RELEASED)
    return replace(
        due.chunk, release=due.chunk.release + 1, lapses=lapses, due_at=now + lease(lapses)
    )


def requests(chunk: Released, job: Job, now: datetime) -> tuple[Event, Event]:
    """What is said of a release: to the fetchers, and to whoever follows the job."""
    request = FetchRequestedV1(
        chunk_id=chunk.chunk_id,
        job_id=chunk.job_id,
        task_id=chunk.task_id,
        exchange=job.exchange,
        symbol=chunk.symbol,
        timeframe=chunk.timeframe,
        start=chunk.start,
        end=chunk.end,
        slots=chunk.slots,
        route=ROUTE,
        pass_number=PASS_NUMBER,
        generation=chunk.generation,
        release=chunk.release,
        attempt=chunk.attempt,
        max_attempts=job.max_attempts,
    )
    return request, ChunkReleasedV1(
        job_id=chunk.job_id,
        task_id=chunk.task_id,
        chunk_id=chunk.chunk_id,
        generation=chunk.generation,
        release=chunk.release,
        start=chunk.start,
        end=chunk.end,
        slots=chunk.slots,
        attempt=chunk.attempt,
        released_at=now,
    )
