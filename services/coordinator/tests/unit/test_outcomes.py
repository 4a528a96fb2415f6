"""How tasks and jobs end, what a command is answered, how long one waits."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.errors import Invalid
from candlelog.events.jobs import SubmitJobV1
from candlelog.market.states import Action
from coordinator.domain.delays import LEASES, lease, retry_delay
from coordinator.domain.outcomes import JobCounts, TaskCounts, job_end, task_end
from coordinator.domain.routes import Route
from coordinator.domain.submission import check

NOW = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("counts", "end"),
    [
        (TaskCounts(3, 2, 0, 30, 20, 0), None),
        (TaskCounts(3, 2, 1, 30, 20, 0), Action.COMPLETE_WITH_ERRORS),
        (TaskCounts(3, 3, 0, 30, 30, 0), Action.COMPLETE),
        (TaskCounts(3, 3, 0, 30, 29, 1), Action.COMPLETE_WITH_ERRORS),
        (TaskCounts(3, 3, 0, 30, 30, 1), Action.COMPLETE_WITH_ERRORS),
        (TaskCounts(3, 3, 0, 30, 29, 0), Action.COMPLETE_WITH_ERRORS),
        (TaskCounts(3, 0, 3, 30, 0, 0), Action.FAIL),
        (TaskCounts(3, 0, 3, 30, 9, 0), Action.COMPLETE_WITH_ERRORS),
        (TaskCounts(3, 1, 2, 30, 0, 0), Action.FAIL),
        (TaskCounts(3, 1, 2, 0, 0, 0), Action.COMPLETE_WITH_ERRORS),
        (TaskCounts(3, 0, 3, 0, 0, 0), Action.FAIL),
        (TaskCounts(0, 0, 0, 0, 0, 0), Action.COMPLETE),
    ],
)
def test_a_task_ends_as_its_chunks_did(counts: TaskCounts, end: Action | None):
    assert task_end(counts) == end


@pytest.mark.parametrize(
    ("counts", "end"),
    [
        (JobCounts(2, 1, 0, 0, 0), None),
        (JobCounts(2, 2, 0, 0, 0), Action.COMPLETE),
        (JobCounts(2, 1, 1, 0, 0), Action.COMPLETE_WITH_ERRORS),
        (JobCounts(2, 1, 0, 1, 0), Action.COMPLETE_WITH_ERRORS),
        (JobCounts(2, 1, 0, 0, 1), Action.COMPLETE_WITH_ERRORS),
        (JobCounts(2, 0, 0, 2, 0), Action.FAIL),
        (JobCounts(2, 0, 0, 1, 1), Action.FAIL),
        (JobCounts(2, 0, 0, 0, 2), Action.CANCEL),
    ],
)
def test_a_job_ends_as_its_tasks_did(counts: JobCounts, end: Action | None):
    assert job_end(counts) == end


@pytest.mark.parametrize("route", list(Route))
def test_a_lease_doubles_with_each_lapse_and_not_for_ever(route: Route):
    assert [lease(route, n) // LEASES[route] for n in range(7)] == [1, 2, 4, 8, 16, 16, 16]


@given(st.integers(1, 10), st.floats(0, 1, exclude_max=True))
def test_a_retry_waits_for_half_of_its_time_at_least_and_a_minute_at_most(
    attempt: int, jitter: float
):
    most = timedelta(seconds=min(60, 4 * 2 ** (attempt - 1)))
    assert most / 2 <= retry_delay(attempt, jitter) <= most


def test_three_attempts_outlast_the_errors_after_which_a_venue_is_left_alone():
    assert retry_delay(1, 0.0) + retry_delay(2, 0.0) > timedelta(seconds=5)


def submission(**fields: object) -> SubmitJobV1:
    return SubmitJobV1.model_validate(
        {
            "job_id": UUID(int=1), "exchange": "binance", "symbols": ("BTC/USDT",),
            "timeframes": ("1m",), "start": NOW - timedelta(days=1), "end": NOW,
            "submitted_by": "t", "submitted_at": NOW, **fields,
        }
    )  # fmt: skip


def test_a_sound_command_passes():
    assert check(submission()).name == "binance"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"exchange": "binanse"}, "did you mean binance"),
        ({"timeframes": ("1m", "7m")}, "unknown timeframe '7m'"),
        ({"timeframes": ("2w",)}, "has no timeframe '2w'"),
        ({"end": NOW - timedelta(days=1)}, "start must be before end"),
        ({"source": "archive"}, "no archive"),
        ({"features": True}, "no feature set is named"),
    ],
)
def test_a_command_that_breaks_a_rule_is_refused_with_the_reason(
    fields: dict[str, object], reason: str
):
    with pytest.raises(Invalid, match=reason.replace("'", ".")):
        check(submission(**fields))
