"""What a user sees of a job's rows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from status_api.domain.figures import job_view, progress, task_view
from status_api.domain.rows import JobRow, Submission, TaskRow

T0 = datetime(2024, 2, 1, tzinfo=UTC)
SUBMISSION = Submission(
    job_id=UUID(int=1), command_partition=0, command_offset=0, kind="backfill", exchange="binance",
    symbols=("BTC/USDT",), timeframes=("1m",), range_start=T0, range_end=T0, source="auto",
    features=False, feature_sets=(), incremental=True, priority=5, max_attempts=3, label=None,
    submitted_by="me", submitted_at=T0, request_digest=None,
)  # fmt: skip


def job(**figures: Any) -> JobRow:
    return JobRow(job_id=UUID(int=1), progress_partition=0, progress_offset=0, **figures)


@pytest.mark.parametrize(
    ("figures", "percent"),
    [
        ({}, 0.0),
        ({"slots_expected": 200, "slots_covered": 50, "slots_explained": 50}, 50.0),
        ({"slots_expected": 200, "slots_explained": 200, "state": "running"}, 99.9),
        ({"slots_expected": 200, "slots_explained": 200, "state": "failed"}, 99.9),
        ({"slots_expected": 200, "slots_explained": 199, "state": "completed_with_errors"}, 99.5),
        (
            {"slots_expected": 64_800, "slots_explained": 64_799, "state": "completed_with_errors"},
            99.99,
        ),
        ({"slots_expected": 200, "slots_explained": 200, "state": "completed"}, 100.0),
        ({"slots_expected": 0, "state": "completed"}, 100.0),
        ({"slots_expected": 0, "state": "running"}, 0.0),
        ({"chunks_total": 4, "chunks_done": 1, "state": "running"}, 25.0),
        ({"chunks_total": 4, "chunks_done": 4, "state": "running"}, 99.9),
    ],
)
def test_progress_is_100_only_when_the_job_is_done(figures: dict[str, Any], percent: float):
    assert progress(job(**figures)) == percent


@pytest.mark.parametrize(
    ("figures", "code"),
    [
        ({"state": "completed_with_errors", "quarantined": 24}, "quarantined"),
        ({"state": "completed_with_errors", "quarantined": 24, "chunks_failed": 1}, "cut_short"),
        ({"state": "running", "quarantined": 24}, "cut_short"),
        (
            {"state": "completed_with_errors", "slots_expected": 9, "slots_explained": 8},
            "out_of_reach",
        ),
    ],
)
def test_a_job_that_ended_with_rows_refused_or_out_of_reach_alone_says_so(
    figures: dict[str, Any], code: str
):
    """The error of a chunk that went well in the end is no reason."""
    row = job(error_code="cut_short", error_message="", error_transient=True, **figures)
    fault = job_view(SUBMISSION, row, T0).error
    assert fault is not None
    assert fault.code == code


def test_speed_and_time_left_follow_from_what_is_stored():
    row = job(
        state="running", started_at=T0, slots_expected=1000, slots_explained=250, candles_stored=200
    )
    view = job_view(SUBMISSION, row, T0 + timedelta(seconds=10))
    assert (view.duration_seconds, view.candles_per_second, view.eta_seconds) == (10, 20, 30)


@pytest.mark.parametrize(("done", "left"), [(0, None), (1, 30.0), (4, 0.0)])
def test_a_job_that_only_waits_for_features_has_not_ended_yet(done: int, left: float | None):
    row = job(
        state="running", started_at=T0, slots_expected=100, slots_explained=100, candles_stored=100,
        chunks_total=4, chunks_done=done,
    )  # fmt: skip
    assert job_view(SUBMISSION, row, T0 + timedelta(seconds=10)).eta_seconds == left


def test_a_job_that_waits_has_no_speed():
    view = job_view(SUBMISSION, job(), T0)
    assert (view.duration_seconds, view.candles_per_second, view.eta_seconds) == (None, None, None)
    assert (view.current_step, view.error) == ("plan", None)


def test_a_replay_has_no_steps_that_fetch_or_store():
    replay = replace(SUBMISSION, kind="replay", features=True)
    row = job(accepted_at=T0, state="running", chunks_total=4, chunks_done=1)
    found = {step.name: step.status for step in job_view(replay, row, T0).steps}
    assert found == {"plan": "completed", "features": "running"}
    row = replace(row, chunks_done=4, state="completed")
    assert [step.status for step in job_view(replay, row, T0).steps] == ["completed"] * 2


def steps(**figures: Any) -> list[str]:
    return [step.status for step in job_view(SUBMISSION, job(**figures), T0).steps]


def test_steps_follow_the_chunks():
    assert steps() == ["running", "waiting", "waiting"]
    assert steps(accepted_at=T0, chunks_total=2) == ["completed", "running", "waiting"]
    busy = {"accepted_at": T0, "chunks_total": 2, "chunks_fetched": 2, "chunks_stored": 1}
    assert steps(**busy) == ["completed", "completed", "running"]
    assert steps(**busy, state="cancelled") == ["completed", "completed", "stopped"]
    assert steps(accepted_at=T0, state="completed") == ["completed"] * 3


def features_step(**figures: Any) -> str:
    asked = replace(SUBMISSION, features=True)
    (*_, step) = job_view(asked, job(accepted_at=T0, **figures), T0).steps
    assert step.name == "features"
    return step.status


def test_features_are_a_step_of_the_jobs_that_ask_for_them():
    busy = {"chunks_total": 3, "feature_chunks": 1, "chunks_fetched": 2, "chunks_stored": 2}
    assert steps(accepted_at=T0, **busy) == ["completed", "completed", "completed"]
    assert features_step(chunks_total=3) == "waiting"
    assert features_step(**busy, chunks_done=2) == "running"
    assert features_step(**busy, chunks_done=2, state="failed") == "stopped"
    assert features_step(**busy, chunks_done=2, chunks_failed=1) == "completed"
    assert features_step(**busy, chunks_done=3) == "completed"


def test_a_failure_is_shown_until_the_job_is_completed():
    failure = {"error_code": "bad", "error_message": "m", "error_transient": True}
    assert job_view(SUBMISSION, job(**failure), T0).error is not None
    assert job_view(SUBMISSION, job(**failure, state="completed"), T0).error is None


def test_a_job_that_failed_without_a_chunk_says_its_reason():
    error = job_view(SUBMISSION, job(state="failed", reason="no such symbol"), T0).error
    assert error is not None
    assert (error.code, error.message) == ("failed", "no such symbol")


@pytest.mark.parametrize(
    ("audited", "unknown", "score"),
    [(0, 0, None), (10, 0, 1.0), (10, 3, 0.7), (10**9, 1, 0.999999), (10, 10, 0.0)],
)
def test_quality_is_what_is_explained_of_what_was_audited(audited: int, unknown: int, score: float):
    figures = {"slots_audited": audited, "slots_unknown": unknown}
    assert job_view(SUBMISSION, job(**figures), T0).data_quality_score == score


def test_missing_periods_name_their_series():
    period = {"start": "2024-02-01T00:00:00+00:00", "end": "2024-02-01T00:03:00+00:00"}
    row = TaskRow(
        task_id=UUID(int=2), job_id=UUID(int=1), progress_offset=0, exchange="binance",
        symbol="BTC/USDT", timeframe="1m", range_start=T0, range_end=T0, route="rest",
        route_reason="r", missing=[period],
    )  # fmt: skip
    (found,) = task_view(row, T0).missing_periods
    assert (found.symbol, found.timeframe, found.start) == ("BTC/USDT", "1m", T0)
    shown = job_view(SUBMISSION, job(), T0, missing=[{**period, "symbol": "S", "timeframe": "1h"}])
    assert [each.symbol for each in shown.missing_periods] == ["S"]
