"""What was asked for, as the row that a job is shown by."""

from typing import Final

from candlelog.events.fields import EARLIEST, LATEST
from candlelog.events.jobs import FillGapsV1, ReplayCandlesV1, ReplayFeaturesV1, SubmitJobV1
from status_api.domain.rows import Submission

Command = SubmitJobV1 | FillGapsV1 | ReplayFeaturesV1 | ReplayCandlesV1

_EVERY_EXCHANGE: Final = "*"


def submission(event: Command, partition: int, offset: int) -> Submission:
    """The row of a command that stands there."""
    match event:
        case SubmitJobV1():
            return _of_candles(event, partition, offset)
        case FillGapsV1():
            return _of_gaps(event, partition, offset)
        case ReplayFeaturesV1():
            return _of_features(event, partition, offset)
        case ReplayCandlesV1():
            return _of_everything(event, partition, offset)


def _of_candles(event: SubmitJobV1, partition: int, offset: int) -> Submission:
    return Submission(
        job_id=event.job_id,
        command_partition=partition,
        command_offset=offset,
        kind=event.kind,
        exchange=event.exchange,
        symbols=event.symbols,
        timeframes=event.timeframes,
        range_start=event.start,
        range_end=event.end,
        source=event.source,
        features=event.features,
        feature_sets=tuple(each.text for each in event.feature_sets),
        incremental=event.incremental,
        priority=event.priority,
        max_attempts=event.max_attempts,
        label=event.label,
        submitted_by=event.submitted_by,
        submitted_at=event.submitted_at,
        request_digest=event.request_digest,
    )


def _of_gaps(event: FillGapsV1, partition: int, offset: int) -> Submission:
    """A repair is shown as a job over the range that holds all of its gaps."""
    gaps = event.gaps
    return Submission(
        job_id=event.job_id,
        command_partition=partition,
        command_offset=offset,
        kind="gap_repair",
        exchange=event.exchange,
        symbols=tuple(dict.fromkeys(gap.symbol for gap in gaps)),
        timeframes=tuple(dict.fromkeys(gap.timeframe for gap in gaps)),
        range_start=min(gap.start for gap in gaps),
        range_end=max(gap.end for gap in gaps),
        source="auto",
        features=False,
        feature_sets=(),
        incremental=False,
        priority=event.priority,
        max_attempts=event.max_attempts,
        label=None,
        submitted_by=event.submitted_by,
        submitted_at=event.submitted_at,
        request_digest=None,
    )


def _of_features(event: ReplayFeaturesV1, partition: int, offset: int) -> Submission:
    """A replay without a range is shown as one over all of time."""
    return Submission(
        job_id=event.job_id,
        command_partition=partition,
        command_offset=offset,
        kind="replay",
        exchange=event.exchange,
        symbols=event.symbols,
        timeframes=event.timeframes,
        range_start=event.start or EARLIEST,
        range_end=event.end or LATEST,
        source="auto",
        features=True,
        feature_sets=(event.feature_set.text,),
        incremental=False,
        priority=event.priority,
        max_attempts=1,
        label=event.label,
        submitted_by=event.submitted_by,
        submitted_at=event.submitted_at,
        request_digest=event.request_digest,
    )


def _of_everything(event: ReplayCandlesV1, partition: int, offset: int) -> Submission:
    """A replay of candles is one of everything there is."""
    return Submission(
        job_id=event.job_id,
        command_partition=partition,
        command_offset=offset,
        kind="replay",
        exchange=_EVERY_EXCHANGE,
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
