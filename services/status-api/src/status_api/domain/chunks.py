"""What an event says about a chunk, and what it adds to the figures of its task and job.

Events of a chunk are ordered by `(generation, release)`; stored is final. A figure grows only with
a change of the chunk's own row, so an event that comes twice adds nothing.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from candlelog.events.progress import (
    BatchStoredV1,
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
    ChunkReleasedV1,
)
from status_api.domain.rows import ChunkRow, Figures, TaskRow

ChunkEvent = ChunkReleasedV1 | ChunkFetchedV1 | ChunkDeferredV1 | ChunkFailedV1 | BatchStoredV1
FiguresOf = tuple[TaskRow, Figures]
"""The task's figures and the job's."""


def fold(chunk: ChunkRow | None, event: ChunkEvent, figures: FiguresOf) -> ChunkRow | None:
    """The chunk's row to write, or None where nothing about it needs to be kept."""
    step = _STEPS.get(type(event))
    return None if step is None else step(chunk, event, figures)


def _released(
    chunk: ChunkRow | None, event: ChunkReleasedV1, figures: FiguresOf
) -> ChunkRow | None:
    task = figures[0]
    task.current_open_time = max(task.current_open_time or event.start, event.start)
    for each in figures:
        each.attempts = max(each.attempts, event.attempt)
    if chunk is None or chunk.state != "failed" or not _newer(event, chunk):
        return None
    _add(figures, chunks_failed=-1)
    _advance(chunk, event, "released")
    return chunk


def _fetched(chunk: ChunkRow | None, event: ChunkFetchedV1, figures: FiguresOf) -> ChunkRow | None:
    if chunk is None:
        chunk = _new(event)
    elif chunk.fetched:
        return None
    chunk.fetched = True
    if chunk.state == "released":
        _advance(chunk, event, "fetched")
    _add(figures, chunks_fetched=1, candles_fetched=event.candles)
    return chunk


def _failed(chunk: ChunkRow | None, event: ChunkFailedV1, figures: FiguresOf) -> ChunkRow | None:
    if chunk is not None and (chunk.state == "stored" or not _current(event, chunk)):
        return None
    for each in figures:
        each.attempts = max(each.attempts, event.attempt)
        each.error_code = event.code
        each.error_message = event.message
        each.error_transient = event.transient
    if not event.final or (chunk is not None and chunk.state == "failed"):
        return None
    chunk = chunk or _new(event)
    _advance(chunk, event, "failed")
    _add(figures, chunks_failed=1)
    return chunk


def _stored(chunk: ChunkRow | None, event: BatchStoredV1, figures: FiguresOf) -> ChunkRow | None:
    chunk = chunk or _new(event)
    if chunk.state == "stored" or event.part < chunk.parts_stored:
        return None
    chunk.parts_stored = event.part + 1
    _add(
        figures,
        candles_stored=event.candles,
        slots_explained=event.slots_explained,
        quarantined=event.quarantined,
    )
    if event.last_part:
        _add(figures, chunks_done=1, chunks_failed=-1 if chunk.state == "failed" else 0)
        _advance(chunk, event, "stored")
    return chunk


def _new(event: ChunkEvent) -> ChunkRow:
    return ChunkRow(
        chunk_id=event.chunk_id,
        job_id=event.job_id,
        task_id=event.task_id,
        state="released",
        generation=event.generation,
        release=event.release,
    )


def _newer(event: ChunkEvent, chunk: ChunkRow) -> bool:
    return (event.generation, event.release) > (chunk.generation, chunk.release)


def _current(event: ChunkEvent, chunk: ChunkRow) -> bool:
    return (event.generation, event.release) >= (chunk.generation, chunk.release)


def _advance(chunk: ChunkRow, event: ChunkEvent, state: str) -> None:
    chunk.state = state
    if _newer(event, chunk):
        chunk.generation, chunk.release = event.generation, event.release


def _add(figures: Iterable[Figures], **amounts: int) -> None:
    for each in figures:
        for name, amount in amounts.items():
            setattr(each, name, getattr(each, name) + amount)


_STEPS: Final[dict[type[object], Callable[[ChunkRow | None, Any, FiguresOf], ChunkRow | None]]] = {
    ChunkReleasedV1: _released,
    ChunkFetchedV1: _fetched,
    ChunkFailedV1: _failed,
    BatchStoredV1: _stored,
}
