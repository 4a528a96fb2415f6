"""What a chunk becomes by what is said about it.

Events of a chunk are ordered by `(generation, release)`: what belongs to an older release is late
and changes nothing. The exception is a stored batch, which is final whichever release brought it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from candlelog.events.progress import (
    BatchStoredV1,
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
)

ChunkEvent = BatchStoredV1 | ChunkDeferredV1 | ChunkFailedV1 | ChunkFetchedV1


class ChunkState(StrEnum):
    """Where a released chunk is; a stored one has no state: its row is gone."""

    RELEASED = "released"
    FETCHED = "fetched"
    WAITING = "waiting"
    FAILED = "failed"


class ChunkKey(NamedTuple):
    """Names a chunk; an event that confuses them is about a chunk nobody knows."""

    job_id: UUID
    task_id: UUID
    chunk_id: UUID


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk that was released and is not stored.

    `due_at` is when it is released again: the end of the lease, or of the wait; None for never.
    """

    key: ChunkKey
    state: ChunkState
    generation: int
    release: int
    attempt: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stored:
    """The end of a chunk: readable, with this many slots explained and rows quarantined."""

    slots_explained: int
    quarantined: int


_ASKED = frozenset({ChunkState.RELEASED, ChunkState.FETCHED})
"""A chunk can fail after it was fetched: the sink may refuse its batch."""


def key_of(event: ChunkEvent) -> ChunkKey:
    """The chunk the event is about."""
    return ChunkKey(event.job_id, event.task_id, event.chunk_id)


def fold(chunk: Chunk, event: ChunkEvent, retry_at: datetime) -> Chunk | Stored:
    """The chunk after the event; the very same object when the event is late.

    `retry_at` is when a chunk that failed in passing is asked for again.
    """
    if isinstance(event, BatchStoredV1):
        return Stored(event.slots_explained, event.quarantined)
    current = (event.generation, event.release) == (chunk.generation, chunk.release)
    return _answered(chunk, event, retry_at) if current else chunk


def _answered(
    chunk: Chunk, event: ChunkDeferredV1 | ChunkFailedV1 | ChunkFetchedV1, retry_at: datetime
) -> Chunk:
    match event:
        case ChunkFetchedV1() if chunk.state in {ChunkState.RELEASED, ChunkState.WAITING}:
            return replace(chunk, state=ChunkState.FETCHED, due_at=None)
        case ChunkDeferredV1() if chunk.state is ChunkState.RELEASED:
            return replace(chunk, state=ChunkState.WAITING, due_at=event.until)
        case ChunkFailedV1(final=True) if chunk.state in _ASKED:
            return replace(chunk, state=ChunkState.FAILED, due_at=None)
        case ChunkFailedV1() if chunk.state in _ASKED:
            return replace(
                chunk, state=ChunkState.WAITING, attempt=chunk.attempt + 1, due_at=retry_at
            )
        case _:
            return chunk
