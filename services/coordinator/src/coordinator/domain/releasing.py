"""Chunks as they are given out, to be fetched or computed, for the first time or again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from candlelog.events.event import Event
from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.fetch import ArchiveFileRef, FetchRequestedV1
from candlelog.events.progress import ChunkReleasedV1
from candlelog.events.replay import ReplayRequestedV1
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.delays import lease
from coordinator.domain.folding import ChunkState
from coordinator.domain.jobs import Job
from coordinator.domain.pieces import PASS_NUMBER, chunk_id, pieces
from coordinator.domain.queues import PlannedRange
from coordinator.domain.routes import Route

_LEASED: Final = frozenset({ChunkState.RELEASED, ChunkState.FETCHED})


@dataclass(frozen=True, slots=True)
class Released:
    """A chunk that is given out; `due_at` is the end of its lease, `file` where it is read.

    Its candles are computed for `feature_sets`: of a fetch chunk any number, else exactly one, as
    the build that is named.
    """

    job_id: UUID
    task_id: UUID
    chunk_id: UUID
    symbol: str
    timeframe: str
    route: Route
    feature_sets: tuple[FeatureSetRef, ...]
    build: int
    start: datetime
    end: datetime
    slots: int
    generation: int
    release: int
    attempt: int
    lapses: int
    due_at: datetime
    file: ArchiveFileRef | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A chunk that is to be given out again, as it was released last."""

    state: ChunkState
    awaits_candles: bool
    chunk: Released

    @property
    def awaited(self) -> Route:
        """What takes the time: where candles are stored already, it is their features."""
        return self.chunk.route if self.awaits_candles else Route.FEATURES


@dataclass(frozen=True, slots=True)
class Stretch:
    """Chunks `[first, end)` of a queue of a task, as far as they lie in one of its ranges."""

    job_id: UUID
    task_id: UUID
    symbol: str
    timeframe: str
    route: Route
    piece_slots: int
    first: int
    end: int
    planned: PlannedRange


def cut(stretch: Stretch, job: Job, now: datetime) -> Iterator[Released]:
    """The chunks of a stretch, in order of time, released for the first time."""
    series = Series(job.exchange, stretch.symbol, stretch.timeframe)
    frame = Timeframe.parse(stretch.timeframe)
    way = _way(stretch)
    for piece in pieces(
        stretch.planned, frame, stretch.piece_slots, first=stretch.first, end=stretch.end
    ):
        yield Released(
            job_id=stretch.job_id,
            task_id=stretch.task_id,
            chunk_id=chunk_id(stretch.job_id, series, piece, way=way),
            symbol=stretch.symbol,
            timeframe=stretch.timeframe,
            route=stretch.route,
            feature_sets=stretch.planned.feature_sets,
            build=stretch.planned.build,
            start=piece.start,
            end=piece.end,
            slots=piece.slots,
            generation=job.generation,
            release=1,
            attempt=1,
            lapses=0,
            due_at=now + lease(stretch.route, 0),
            file=stretch.planned.file,
        )


def _way(stretch: Stretch) -> str:
    """The route; with it the file, or the set: one range is computed for each set apart."""
    planned = stretch.planned
    match stretch.route:
        case Route.REST:
            return stretch.route
        case Route.ARCHIVE if planned.file is not None:
            return f"{stretch.route} {planned.file.path}"
        case _:
            return " ".join((stretch.route, *(each.text for each in planned.feature_sets)))


def again(due: Due, job: Job, now: datetime) -> Released:
    """The next release of a chunk, in the generation its job has now. A lost lease counts as a
    lapse and uses up no attempt."""
    chunk = due.chunk
    lapses = chunk.lapses + (due.state in _LEASED)
    return replace(
        chunk,
        generation=job.generation,
        release=chunk.release + 1,
        lapses=lapses,
        due_at=now + lease(due.awaited, lapses),
    )


def requests(chunk: Released, job: Job, now: datetime) -> tuple[Event, Event]:
    """What is said of a release: to those who do the work, and to whoever follows the job."""
    request = _compute(chunk, job) if chunk.route is Route.FEATURES else _fetch(chunk, job)
    return request, ChunkReleasedV1(
        job_id=chunk.job_id,
        task_id=chunk.task_id,
        chunk_id=chunk.chunk_id,
        generation=chunk.generation,
        release=chunk.release,
        start=chunk.start,
        end=chunk.end,
        route=chunk.route.value,
        slots=chunk.slots,
        attempt=chunk.attempt,
        released_at=now,
    )


def _fetch(chunk: Released, job: Job) -> FetchRequestedV1:
    return FetchRequestedV1(
        chunk_id=chunk.chunk_id,
        job_id=chunk.job_id,
        task_id=chunk.task_id,
        exchange=job.exchange,
        symbol=chunk.symbol,
        timeframe=chunk.timeframe,
        start=chunk.start,
        end=chunk.end,
        slots=chunk.slots,
        route="rest" if chunk.file is None else "archive",
        file=chunk.file,
        pass_number=PASS_NUMBER,
        generation=chunk.generation,
        release=chunk.release,
        attempt=chunk.attempt,
        max_attempts=job.max_attempts,
        feature_sets=chunk.feature_sets,
    )


def _compute(chunk: Released, job: Job) -> ReplayRequestedV1:
    (feature_set,) = chunk.feature_sets
    return ReplayRequestedV1(
        chunk_id=chunk.chunk_id,
        job_id=chunk.job_id,
        task_id=chunk.task_id,
        exchange=job.exchange,
        symbol=chunk.symbol,
        timeframe=chunk.timeframe,
        start=chunk.start,
        end=chunk.end,
        feature_set=feature_set,
        build=chunk.build,
        generation=chunk.generation,
        release=chunk.release,
    )
