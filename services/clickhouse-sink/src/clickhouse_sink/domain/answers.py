"""What is said on the log of a batch that is stored."""

from datetime import datetime

from candlelog.events.progress import BatchStoredV1
from candlelog.market.timeframe import Timeframe, milliseconds
from clickhouse_sink.domain.batches import Batch


def stored(batch: Batch, at: datetime) -> BatchStoredV1:
    """The batch is readable since `at`."""
    header = batch.header
    return BatchStoredV1(
        job_id=header.job_id,
        task_id=header.task_id,
        chunk_id=header.chunk_id,
        generation=header.generation,
        release=header.release,
        part=header.part,
        last_part=header.last_part,
        candles=batch.rows.num_rows,
        slots_explained=header.slots - _unexplained(batch),
        quarantined=len(header.quarantined),
        start=header.start,
        end=header.end,
        stored_at=at,
    )


def _unexplained(batch: Batch) -> int:
    """Slots of the range for which the venue gave nothing but rows that broke a rule."""
    if not batch.header.quarantined:
        return 0
    window, grid = batch.window, Timeframe.parse(batch.header.timeframe)
    times = {row.open_time for row in batch.header.quarantined if row.open_time is not None}
    slots = {milliseconds(grid.floor(time)) for time in times}
    held = set(batch.rows.column("open_time").cast("int64").to_pylist())
    return sum(window.start <= slot < window.end for slot in slots - held)
