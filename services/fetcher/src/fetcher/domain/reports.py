"""What is said about a chunk."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from candlelog.events.candles import CandleBatchHeaderV1, CandleBatchV1
from candlelog.events.fetch import ArchiveFileRef, FetchRequestedV1
from candlelog.events.progress import (
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
    FileReadV1,
)
from candlelog.market.pages import Page
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from fetcher.domain.failures import Permanent, Transient
from fetcher.domain.file_summary import Summary


class Got(NamedTuple):
    """What a chunk has brought, in so many batches."""

    candles: int
    quarantined: int
    parts: int = 1


def batch(
    chunk: FetchRequestedV1,
    page: Page,
    window: TimeRange,
    observed_at: datetime,
    *,
    part: int = 0,
    last_part: bool = True,
    is_listed: bool = True,
) -> CandleBatchV1:
    """The candles of a chunk, or a part of them, and that the venue, or a file of its archive,
    answered for `window`: of a chunk in one part for the whole of it, or for its end. There are
    none where the series was not listed."""
    answer = "candles" if page.rows.num_rows else "empty" if is_listed else "unlisted"
    return CandleBatchV1(
        header=CandleBatchHeaderV1(
            **_chunk(chunk),
            **_series(chunk),
            start=window.start,
            end=window.end,
            slots=Timeframe.parse(chunk.timeframe).count(window.start, window.end),
            part=part,
            last_part=last_part,
            source=chunk.route,
            answer=answer,
            observed_at=observed_at,
            quarantined=page.quarantined,
            feature_sets=chunk.feature_sets,
        ),
        rows=page.rows,
    )


def fetched(
    chunk: FetchRequestedV1, got: Got, *, weight: float, by: str, now: datetime
) -> ChunkFetchedV1:
    """All batches of the chunk are on the log."""
    return ChunkFetchedV1(
        **_chunk(chunk),
        candles=got.candles,
        quarantined=got.quarantined,
        parts=got.parts,
        weight=weight,
        fetched_by=by,
        fetched_at=now,
    )


def file_read(
    chunk: FetchRequestedV1, file: ArchiveFileRef, summary: Summary, *, now: datetime
) -> FileReadV1:
    """All that the chunk asked of a file is on the log."""
    return _file(chunk, file, **asdict(summary), start=chunk.start, end=chunk.end, read_at=now)


def file_refused(
    chunk: FetchRequestedV1, file: ArchiveFileRef, failure: Permanent, *, now: datetime
) -> FileReadV1:
    """Nothing of a file is believed, and why; a file that could not be got at was not refused."""
    refused = f"{failure.code}: {failure}"
    return _file(
        chunk, file, sha256="", size=0, rows=0, quarantined=0, refused=refused, read_at=now
    )


def _file(chunk: FetchRequestedV1, file: ArchiveFileRef, **told: Any) -> FileReadV1:
    archived = profile(chunk.exchange).archive
    return FileReadV1(
        **_chunk(chunk),
        **_series(chunk),
        archive=chunk.exchange if archived is None else archived.name,
        path=file.path,
        version=file.version,
        **told,
    )


def deferred(
    chunk: FetchRequestedV1, *, until: datetime, reason: str, now: datetime
) -> ChunkDeferredV1:
    """The chunk goes back until then; no attempt is used up."""
    return ChunkDeferredV1(
        **_chunk(chunk),
        until=until,
        reason=reason,
        deferred_at=now,
    )


def failed(
    chunk: FetchRequestedV1, failure: Transient | Permanent, *, now: datetime
) -> ChunkFailedV1:
    """The venue's answer was a failure."""
    return ChunkFailedV1(
        **_chunk(chunk),
        code=failure.code,
        message=str(failure),
        transient=isinstance(failure, Transient),
        attempt=chunk.attempt,
        max_attempts=chunk.max_attempts,
        failed_at=now,
    )


def _chunk(chunk: FetchRequestedV1) -> dict[str, Any]:
    """What names a chunk, and which asking for it is meant."""
    return chunk.model_dump(include={"job_id", "task_id", "chunk_id", "generation", "release"})


def _series(chunk: FetchRequestedV1) -> dict[str, Any]:
    return chunk.model_dump(include={"exchange", "symbol", "timeframe"})
