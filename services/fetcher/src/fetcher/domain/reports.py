"""What is said about a chunk."""

from datetime import datetime

from candlelog.events.candles import CandleBatchHeaderV1, CandleBatchV1
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.progress import ChunkDeferredV1, ChunkFailedV1, ChunkFetchedV1
from candlelog.market.pages import Page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from fetcher.domain.failures import Permanent, Transient


def batch(
    chunk: FetchRequestedV1, page: Page, window: TimeRange, observed_at: datetime
) -> CandleBatchV1:
    """The candles of a chunk, and that the venue answered for `window`: for the whole of it, or
    for its end."""
    return CandleBatchV1(
        header=CandleBatchHeaderV1(
            job_id=chunk.job_id,
            task_id=chunk.task_id,
            chunk_id=chunk.chunk_id,
            generation=chunk.generation,
            release=chunk.release,
            exchange=chunk.exchange,
            symbol=chunk.symbol,
            timeframe=chunk.timeframe,
            start=window.start,
            end=window.end,
            slots=Timeframe.parse(chunk.timeframe).count(window.start, window.end),
            answer="candles" if page.rows.num_rows else "empty",
            observed_at=observed_at,
            quarantined=page.quarantined,
            feature_sets=chunk.feature_sets,
        ),
        rows=page.rows,
    )


def fetched(
    chunk: FetchRequestedV1, page: Page, *, weight: float, by: str, now: datetime
) -> ChunkFetchedV1:
    """The batch of the chunk is on the log."""
    return ChunkFetchedV1(
        job_id=chunk.job_id,
        task_id=chunk.task_id,
        chunk_id=chunk.chunk_id,
        generation=chunk.generation,
        release=chunk.release,
        candles=page.rows.num_rows,
        quarantined=len(page.quarantined),
        parts=1,
        weight=weight,
        fetched_by=by,
        fetched_at=now,
    )


def deferred(
    chunk: FetchRequestedV1, *, until: datetime, reason: str, now: datetime
) -> ChunkDeferredV1:
    """The chunk goes back until then; no attempt is used up."""
    return ChunkDeferredV1(
        job_id=chunk.job_id,
        task_id=chunk.task_id,
        chunk_id=chunk.chunk_id,
        generation=chunk.generation,
        release=chunk.release,
        until=until,
        reason=reason,
        deferred_at=now,
    )


def failed(
    chunk: FetchRequestedV1, failure: Transient | Permanent, *, now: datetime
) -> ChunkFailedV1:
    """The venue's answer was a failure."""
    return ChunkFailedV1(
        job_id=chunk.job_id,
        task_id=chunk.task_id,
        chunk_id=chunk.chunk_id,
        generation=chunk.generation,
        release=chunk.release,
        code=failure.code,
        message=str(failure),
        transient=isinstance(failure, Transient),
        attempt=chunk.attempt,
        max_attempts=chunk.max_attempts,
        failed_at=now,
    )
