"""What an event says about a chunk, and what it adds to the figures of its task and job.

Events of a chunk are ordered by `(generation, release)`; what is stored stays so, whichever release
brought it. A figure grows only with a change of the chunk's own row, so an event that comes twice
adds nothing.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from candlelog.events.progress import (
    BatchStoredV1,
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
    ChunkReleasedV1,
    FeaturesStoredV1,
)
from status_api.domain.rows import ChunkRow, Figures, TaskRow

ChunkEvent = (
    ChunkReleasedV1
    | ChunkFetchedV1
    | ChunkDeferredV1
    | ChunkFailedV1
    | BatchStoredV1
    | FeaturesStoredV1
)
FiguresOf = tuple[TaskRow, Figures]
"""The task's figures and the job's."""


def fold(chunk: ChunkRow | None, event: ChunkEvent, figures: FiguresOf) -> ChunkRow | None:
    """The chunk's row to write, or None where nothing about it needs to be kept."""
    step = _STEPS.get(type(event))
    if step is None:
        return None
    before = _counted(chunk)
    chunk = step(chunk, event, figures)
    after = _counted(chunk)
    if chunk is not None and after != before:
        _add(figures, **{name: after[name] - before[name] for name in after})
        count_done(*figures)
    return chunk


def count_done(task: TaskRow, job: Figures) -> None:
    """Say anew how many chunks of the task are through, which depends on what it asks for."""
    done = task.chunks_featurized if task.features else task.chunks_stored
    job.chunks_done += done - task.chunks_done
    task.chunks_done = done


def _counted(chunk: ChunkRow | None) -> dict[str, int]:
    """What this one chunk adds to each figure that counts chunks."""
    return {name: chunk is not None and counts(chunk) for name, counts in _COUNTS.items()}


def _released(
    chunk: ChunkRow | None, event: ChunkReleasedV1, figures: FiguresOf
) -> ChunkRow | None:
    for each in figures:
        each.attempts = max(each.attempts, event.attempt)
    if event.route == "features":
        return _released_for_features(chunk, event)
    task = figures[0]
    task.current_open_time = max(task.current_open_time or event.start, event.start)
    if chunk is None:  # kept where a word of an earlier release may still come
        return _new(event) if event.release > 1 else None
    if not _newer(event, chunk):
        return None
    _advance(chunk, event, "released" if chunk.state == "failed" else chunk.state)
    return chunk


def _released_for_features(chunk: ChunkRow | None, event: ChunkReleasedV1) -> ChunkRow:
    """Kept from its release on: this event alone tells that it has no candles of its own."""
    chunk = chunk or _new(event)
    chunk.route = event.route
    if chunk.complete:
        _advance(chunk, event, "stored")
    elif _newer(event, chunk):
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
    _add(figures, candles_fetched=event.candles)
    return chunk


def _failed(chunk: ChunkRow | None, event: ChunkFailedV1, figures: FiguresOf) -> ChunkRow | None:
    if chunk is not None and (_through(chunk, figures[0]) or _late(event, chunk)):
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
    return chunk


def _stored(chunk: ChunkRow | None, event: BatchStoredV1, figures: FiguresOf) -> ChunkRow | None:
    chunk = chunk or _new(event)
    again = event.part < chunk.parts_stored and not event.last_part
    if chunk.stored or again:  # with its last part all of a release are stored, be they fewer
        return None
    chunk.parts_stored = event.part + 1
    _add(
        figures,
        candles_stored=event.candles,
        slots_explained=event.slots_explained,
        quarantined=event.quarantined,
    )
    if event.last_part:
        chunk.stored = True
        chunk.state = "stored"
        chunk.generation, chunk.release = event.generation, event.release
    return chunk


def _featurized(
    chunk: ChunkRow | None, event: FeaturesStoredV1, figures: FiguresOf
) -> ChunkRow | None:
    chunk = chunk or _new(event)
    again = event.part < chunk.parts_featurized and not event.last_part
    if chunk.featurized or again:
        return None
    chunk.parts_featurized = event.part + 1
    chunk.featurized = event.last_part
    _add(figures, features_stored=event.features)
    if chunk.featurized and chunk.complete:
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


def _through(chunk: ChunkRow, task: TaskRow) -> bool:
    """Whether nothing more is awaited of the chunk, and no failure can be."""
    return chunk.complete if task.features else chunk.stored


def _newer(event: ChunkEvent, chunk: ChunkRow) -> bool:
    return (event.generation, event.release) > (chunk.generation, chunk.release)


def _late(event: ChunkEvent, chunk: ChunkRow) -> bool:
    """Of an older release; once the candles are stored, of any but the one that brought them, whose
    features are awaited."""
    said, known = (event.generation, event.release), (chunk.generation, chunk.release)
    return said != known if chunk.stored else said < known


def _advance(chunk: ChunkRow, event: ChunkEvent, state: str) -> None:
    chunk.state = state
    if _newer(event, chunk):
        chunk.generation, chunk.release = event.generation, event.release


def _add(figures: Iterable[Figures], **amounts: int) -> None:
    for each in figures:
        for name, amount in amounts.items():
            setattr(each, name, getattr(each, name) + amount)


_COUNTS: Final[dict[str, Callable[[ChunkRow], bool]]] = {
    "feature_chunks": lambda chunk: chunk.route == "features",
    "chunks_fetched": lambda chunk: chunk.fetched,
    "chunks_stored": lambda chunk: chunk.stored,
    "chunks_featurized": lambda chunk: chunk.complete,
    "chunks_failed": lambda chunk: chunk.state == "failed",
}
_STEPS: Final[dict[type[object], Callable[[ChunkRow | None, Any, FiguresOf], ChunkRow | None]]] = {
    ChunkReleasedV1: _released,
    ChunkFetchedV1: _fetched,
    ChunkFailedV1: _failed,
    BatchStoredV1: _stored,
    FeaturesStoredV1: _featurized,
}
