"""What the sink says of a shadow, onto the rows of its job."""

from typing import Final

from candlelog.events.fields import EARLIEST, LATEST
from candlelog.events.jobs import ReplayCandlesV1
from candlelog.events.rebuild import PartRebuiltV1, ShadowChangedV1
from candlelog.events.topics import CANDLES
from status_api.domain.rows import JobRow, ShadowRow, Submission

_PARTS: Final = 2 * CANDLES.partitions
"""Each partition is rebuilt from the log, and then from the store."""

EVERY_EXCHANGE: Final = "*"


def submission(event: ReplayCandlesV1, partition: int, offset: int) -> Submission:
    """A replay of candles is one of everything there is."""
    return Submission(
        job_id=event.job_id,
        command_partition=partition,
        command_offset=offset,
        kind="replay",
        exchange=EVERY_EXCHANGE,
        symbols=(),
        timeframes=(),
        range_start=EARLIEST,
        range_end=LATEST,
        source="auto",
        features=False,
        feature_sets=(),
        incremental=False,
        priority=5,
        max_attempts=1,
        label=event.label,
        submitted_by=event.submitted_by,
        submitted_at=event.submitted_at,
        request_digest=event.request_digest,
    )


def changed(shadow: ShadowRow, job: JobRow, event: ShadowChangedV1) -> None:
    """A step is done."""
    match event.step:
        case "open":
            job.accepted_at = job.accepted_at or event.changed_at
            job.chunks_total = _PARTS
        case "switch" | "switch_back":
            shadow.switched = event.step == "switch"
        case "close":
            shadow.closed = True


def rebuilt(shadow: ShadowRow, job: JobRow, event: PartRebuiltV1) -> None:
    """A part has come further; said again it has not."""
    name = f"{event.origin}/{event.partition}"
    before, total = shadow.parts.get(name, [-1, 0])
    if event.done <= before:
        return
    shadow.parts[name] = [event.done, event.total]
    job.candles_stored += event.rows
    job.chunks_done += event.through - (before >= total and before >= 0)
