"""What a chunk becomes by what is said about it.

Events of a chunk are ordered by `(generation, release)`: what belongs to an older release is late
and changes nothing. The exceptions are a stored batch and stored features: each is final, whichever
release brought it. A chunk that comes in several parts awaits its candles until the last is stored;
parts count in order, so that one that is read again from its beginning counts nothing twice. A
chunk is through when nothing of it is awaited any more.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from candlelog.events.progress import (
    BatchStoredV1,
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
    FeaturesStoredV1,
)
from coordinator.domain.delays import LEASES
from coordinator.domain.routes import Route

ChunkEvent = BatchStoredV1 | ChunkDeferredV1 | ChunkFailedV1 | ChunkFetchedV1 | FeaturesStoredV1


class ChunkState(StrEnum):
    """Where a released chunk is; one that is through has no state: its row is gone.

    A chunk is fetched from the answer of the venue on, also while its candles are stored and
    only features are awaited. It is held while its task is paused or cancelled, and ready once that
    goes on, until there is credit for it; what was on its way still counts.
    """

    RELEASED = "released"
    FETCHED = "fetched"
    WAITING = "waiting"
    HELD = "held"
    READY = "ready"
    FAILED = "failed"


class ChunkKey(NamedTuple):
    """Names a chunk; an event that confuses them is about a chunk nobody knows."""

    job_id: UUID
    task_id: UUID
    chunk_id: UUID


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk that was released, and what is awaited of it.

    `due_at` is when it is released again: the end of the lease, or of the wait; None for never.
    `parts` counts those that are stored.
    """

    key: ChunkKey
    route: Route
    state: ChunkState
    generation: int
    release: int
    attempt: int
    due_at: datetime | None
    awaits_candles: bool
    awaits_features: bool
    parts: int = 0

    @property
    def through(self) -> bool:
        """Whether all of it is stored."""
        return not (self.awaits_candles or self.awaits_features)

    @property
    def failed(self) -> bool:
        """Whether it is given up."""
        return self.state is ChunkState.FAILED and not self.through


@dataclass(frozen=True, slots=True)
class Change:
    """What to add to the counts of a task: chunks that are through, or failed, and slots."""

    stored: int = 0
    failed: int = 0
    slots_explained: int = 0
    quarantined: int = 0

    def __add__(self, other: "Change") -> "Change":
        return Change(
            self.stored + other.stored,
            self.failed + other.failed,
            self.slots_explained + other.slots_explained,
            self.quarantined + other.quarantined,
        )


NOTHING: Final = Change()

_ASKED: Final = frozenset({ChunkState.RELEASED, ChunkState.FETCHED, ChunkState.HELD})
"""A chunk can fail after it was fetched: its batch may be refused, or its features."""


def key_of(event: ChunkEvent) -> ChunkKey:
    """The chunk the event is about."""
    return ChunkKey(event.job_id, event.task_id, event.chunk_id)


def fold(chunk: Chunk, event: ChunkEvent, *, retry_at: datetime, features_by: datetime) -> Chunk:
    """The chunk after the event; the very same object when the event says nothing new.

    `retry_at` is when a chunk that failed in passing is asked for again, `features_by` when one
    whose candles were stored and whose features were not heard of.
    """
    match event:
        case BatchStoredV1():
            return _with_part(chunk, event, features_by) if chunk.awaits_candles else chunk
        case FeaturesStoredV1():
            through = chunk.awaits_features and event.last_part
            return replace(chunk, awaits_features=False) if through else chunk
        case _:
            late = (event.generation, event.release) != (chunk.generation, chunk.release)
            return chunk if late or chunk.through else _answered(chunk, event, retry_at)


def change(before: Chunk, after: Chunk, event: ChunkEvent) -> Change:
    """What the task counts more by the event that made the one chunk the other."""
    slots = quarantined = 0
    if isinstance(event, BatchStoredV1) and after.parts > before.parts:
        slots, quarantined = event.slots_explained, event.quarantined
    return Change(after.through - before.through, after.failed - before.failed, slots, quarantined)


def _with_part(chunk: Chunk, event: BatchStoredV1, features_by: datetime) -> Chunk:
    """Whoever stores a part of a chunk is at work, also where that part was stored before: the
    lease lasts longer, by the time at which the part was stored. Parts of a release are stored in
    their order: with its last all are, also where a release before had more of them."""
    if event.part == chunk.parts or (event.last_part and event.part < chunk.parts):
        chunk = replace(chunk, parts=chunk.parts + 1)
        if event.last_part:
            return _with_candles(chunk, event, features_by)
    leased_until = event.stored_at + LEASES[chunk.route]
    if not _at_work(chunk, event) or chunk.due_at is None or chunk.due_at >= leased_until:
        return chunk
    return replace(chunk, due_at=leased_until)


def _at_work(chunk: Chunk, event: BatchStoredV1) -> bool:
    """Whether the part is one of the release that the chunk is leased to."""
    asked = (chunk.generation, chunk.release)
    return chunk.state is ChunkState.RELEASED and (event.generation, event.release) == asked


def _with_candles(chunk: Chunk, event: BatchStoredV1, features_by: datetime) -> Chunk:
    """Only features are awaited from now on, those of the release that brought the candles: what
    is still said about another release is late. They come by themselves; a lease sees to it that
    a job does not wait for ever where they were lost."""
    return replace(
        chunk,
        state=ChunkState.FETCHED,
        generation=event.generation,
        release=event.release,
        due_at=features_by if chunk.awaits_features else None,
        awaits_candles=False,
    )


def _answered(
    chunk: Chunk, event: ChunkDeferredV1 | ChunkFailedV1 | ChunkFetchedV1, retry_at: datetime
) -> Chunk:
    """After the word of whoever was asked. Features alone are not fetched, put off or tried again:
    they come by themselves, or with the next release, or they fail for good."""
    match event:
        case ChunkFailedV1(final=True) if chunk.state in _ASKED:
            return replace(chunk, state=ChunkState.FAILED, due_at=None)
        case _ if not chunk.awaits_candles:
            return chunk
        case ChunkFetchedV1() if chunk.state is not ChunkState.FAILED:
            return replace(chunk, state=ChunkState.FETCHED, due_at=None)
        case ChunkDeferredV1() if chunk.state is ChunkState.RELEASED:
            return replace(chunk, state=ChunkState.WAITING, due_at=event.until)
        case ChunkFailedV1() if chunk.state in _ASKED:
            held = chunk.state is ChunkState.HELD
            state, due_at = (chunk.state, None) if held else (ChunkState.WAITING, retry_at)
            return replace(chunk, state=state, attempt=chunk.attempt + 1, due_at=due_at)
        case _:
            return chunk
