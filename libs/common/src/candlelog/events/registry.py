"""Every event there is, by its `ce_type`."""

from typing import Final

from candlelog.events import (
    candles,
    features,
    fetch,
    gaps,
    jobs,
    limits,
    markets,
    progress,
    replay,
    services,
    sink,
)
from candlelog.events.event import Event

EVENTS: Final[dict[str, type[Event]]] = {
    event.ce_type: event
    for event in (
        jobs.SubmitJobV1,
        jobs.FillGapsV1,
        jobs.ReplayFeaturesV1,
        jobs.SwitchReplayV1,
        jobs.CancelJobV1,
        jobs.ListMarketsV1,
        jobs.JobControlV1,
        fetch.FetchRequestedV1,
        fetch.MarketsRequestedV1,
        candles.CandleBatchHeaderV1,
        features.FeatureBatchHeaderV1,
        replay.ReplayRequestedV1,
        replay.BuildsChangedV1,
        progress.JobAcceptedV1,
        progress.TaskPlannedV1,
        progress.ReplayPlannedV1,
        progress.ChunkReleasedV1,
        progress.ChunkFetchedV1,
        progress.ChunkDeferredV1,
        progress.ChunkFailedV1,
        progress.BatchStoredV1,
        progress.FeaturesStoredV1,
        progress.TaskStateChangedV1,
        progress.TaskAuditedV1,
        progress.JobStateChangedV1,
        progress.CommandAnsweredV1,
        progress.ReplayAnsweredV1,
        limits.BudgetRequestedV1,
        limits.UsageObservedV1,
        limits.BackoffObservedV1,
        limits.AllocatorStartedV1,
        limits.AllocatorAliveV1,
        limits.WindowOpenedV1,
        limits.BudgetGrantedV1,
        limits.BackoffDeclaredV1,
        gaps.GapOpenedV1,
        gaps.GapChangedV1,
        gaps.GapClosedV1,
        markets.MarketsListedV1,
        services.ServiceReportedV1,
        sink.SinkWatermarkV1,
    )
}
