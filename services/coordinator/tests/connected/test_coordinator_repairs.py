"""Gaps are asked for, and nothing else."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import FillGapsV1, GapToFill
from candlelog.events.progress import JobAcceptedV1, JobStateChangedV1, TaskPlannedV1
from candlelog.events.replay import ReplayRequestedV1
from candlelog.log.outcome import Reject, Skip
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from coordinator.adapters.memory import Observation

pytestmark = pytest.mark.connected


@pytest.fixture
def repair(submission):
    """A command to fill gaps, given as (symbol, first minute, last minute) of the usual range."""
    start: datetime = submission().start

    def make(*gaps: tuple[str, int, int], **fields: object) -> FillGapsV1:
        return FillGapsV1.model_validate(
            {
                "job_id": uuid4(),
                "exchange": "binance",
                "gaps": [
                    GapToFill(
                        gap_id=uuid4(), symbol=symbol, timeframe="1m",
                        start=start + timedelta(minutes=first),
                        end=start + timedelta(minutes=last),
                    )
                    for symbol, first, last in gaps
                ],
                "submitted_by": "t",
                "submitted_at": start,
                **fields,
            }
        )  # fmt: skip

    return make


def asked(desk, job) -> set[tuple[str, int, int]]:
    first = min(gap.start for gap in job.gaps)
    return {
        (r.symbol, (r.start - first) // timedelta(minutes=1), r.slots)
        for r in desk.said(FetchRequestedV1)
        if r.job_id == job.job_id
    }


async def test_gaps_are_asked_for_and_the_job_completes(desk, repair):
    job = repair(("A/B", 0, 10), ("C/D", 5, 6), ("A/B", 10, 12), ("A/B", 100, 1200), priority=9)
    await desk.say(job)
    await desk.finish()
    assert asked(desk, job) == {
        ("A/B", 0, 12), ("A/B", 100, 1000), ("A/B", 1100, 100), ("C/D", 5, 1),
    }  # fmt: skip
    planned = {e.symbol: (e.chunks_total, e.slots_expected) for e in desk.said(TaskPlannedV1)}
    assert planned == {"A/B": (3, 1112), "C/D": (1, 1)}
    assert [e.slots_covered for e in desk.said(JobAcceptedV1)] == [0]
    assert desk.states(job.job_id) == ["queued", "running", "completed"]
    assert desk.said(ReplayRequestedV1) == []


async def test_gaps_are_asked_for_also_where_coverage_explains_them(desk, repair):
    job = repair(("A/B", 0, 10))
    gap = job.gaps[0]
    desk.coverage.observations.append(
        Observation(Series("binance", "A/B", "1m"), TimeRange(gap.start, gap.end), desk.clock.now())
    )
    await desk.say(job)
    await desk.finish()
    assert asked(desk, job) == {("A/B", 0, 10)}


async def test_a_repair_of_a_series_that_has_features_ends_with_them(desk, submission, repair):
    await desk.say(submission(symbols=("A/B",), features=True, feature_sets=(DEFAULT,)))
    await desk.finish()
    desk.compute = lambda request: []
    job = repair(("A/B", 0, 10), ("C/D", 0, 10))
    await desk.say(job)
    await desk.finish()
    requests = [r for r in desk.said(FetchRequestedV1) if r.job_id == job.job_id]
    assert {r.symbol: r.feature_sets for r in requests} == {"A/B": (DEFAULT,), "C/D": ()}
    assert desk.states(job.job_id) == ["queued", "running"]
    await desk.say(*(e for r in requests if r.feature_sets for e in desk.computed(r)))
    await desk.finish()
    assert desk.states(job.job_id)[-1] == "completed"


async def test_a_repair_that_breaks_a_rule_fails_and_its_command_is_rejected(desk, repair):
    job = repair(("A/B", 0, 10), ("A/B", 20, 20))
    await desk.say(job)
    await desk.finish()
    assert isinstance(desk.outcomes[0], Reject)
    (changed,) = desk.said(JobStateChangedV1)
    assert (changed.job_id, changed.state) == (job.job_id, "failed")
    assert changed.reason == desk.outcomes[0].reason
    assert "start must be before end" in desk.outcomes[0].reason


async def test_a_repair_that_comes_again_is_done_once(desk, repair):
    job = repair(("A/B", 0, 10))
    await desk.say(job, job)
    await desk.finish()
    assert isinstance(desk.outcomes[1], Skip)
    assert len(desk.said(FetchRequestedV1)) == 1
