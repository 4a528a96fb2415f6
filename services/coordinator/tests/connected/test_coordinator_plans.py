"""A dry run says what a job would do, and leaves nothing behind."""

import asyncio

import pytest
from structlog.testing import capture_logs

from candlelog.errors import Unavailable
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fetch import FetchRequestedV1, MarketsRequestedV1
from candlelog.events.jobs import ListMarketsV1, PlanJobV1
from candlelog.events.progress import JobAcceptedV1, PlanAnsweredV1, PlanTaskAnsweredV1
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.adapters.memory import Observation

pytestmark = pytest.mark.connected

SERIES = Series("binance", "BTC/USDT", "1m")


@pytest.fixture
def ask(desk):
    """Ask for the plan of a job; what is said about it."""

    async def planned(job):
        await desk.say(PlanJobV1(job=job))
        await desk.finish()
        (total,) = [each for each in desk.said(PlanAnsweredV1) if each.job_id == job.job_id]
        tasks = [each for each in desk.said(PlanTaskAnsweredV1) if each.job_id == job.job_id]
        return total, tasks

    return planned


async def test_a_plan_tells_requests_slots_and_weight(submission, ask):
    total, tasks = await ask(submission(symbols=("BTC/USDT", "ETH/USDT")))
    assert (total.series, total.requests, total.weight) == (2, 6, 12.0)
    assert (total.slots_expected, total.slots_covered, total.pieces) == (5000, 0, 0)
    assert [(each.symbol, each.requests) for each in tasks] == [("BTC/USDT", 3), ("ETH/USDT", 3)]


async def test_a_plan_for_which_nothing_can_be_read_holds_up_no_command(
    desk, submission, monkeypatch
):
    async def away(*_, **__):
        raise Unavailable("ClickHouse is away")

    monkeypatch.setattr(desk.coverage, "explained", away)
    wish = ListMarketsV1(exchange="binance", requested_at=desk.clock.now())
    await desk.say(PlanJobV1(job=submission()), wish)
    await desk.finish()
    assert len(desk.said(MarketsRequestedV1)) == 1
    assert desk.said(PlanAnsweredV1) == []


async def test_a_look_that_comes_too_late_is_disregarded(desk, submission, monkeypatch):
    explained = desk.coverage.explained

    async def slow(*of, **window):
        desk.clock.advance(21)
        return await explained(*of, **window)

    monkeypatch.setattr(desk.coverage, "explained", slow)
    await desk.say(PlanJobV1(job=submission()))
    with capture_logs() as logs:
        await desk.finish()
    assert desk.said(PlanAnsweredV1) == []
    assert [each["reason"] for each in logs] == ["who asked has given up"]


async def test_a_plan_that_is_being_made_holds_up_no_command(desk, submission, monkeypatch):
    explained, listed = desk.coverage.explained, asyncio.Event()

    async def slow(*of, **window):
        await listed.wait()
        return await explained(*of, **window)

    monkeypatch.setattr(desk.coverage, "explained", slow)
    wish = ListMarketsV1(exchange="binance", requested_at=desk.clock.now())
    await desk.say(PlanJobV1(job=submission()), wish)
    async with asyncio.timeout(10):
        await desk.consume()
    listed.set()
    await desk.finish()
    assert len(desk.said(MarketsRequestedV1)) == 1
    assert len(desk.said(PlanAnsweredV1)) == 1


async def test_a_plan_that_nobody_waits_for_any_more_is_not_made(desk, submission):
    await desk.say(PlanJobV1(job=submission()))
    desk.clock.advance(20)
    await desk.finish()
    assert desk.said(PlanAnsweredV1) == []


async def test_of_too_many_plans_the_newest_are_made(desk, submission, monkeypatch):
    jobs = [submission() for _ in range(3)]
    monkeypatch.setattr("coordinator.handlers.plans.WAITING", 2)
    desk.start()
    for job in jobs:
        await desk.say(PlanJobV1(job=job))
        await desk.consume()
    await desk.finish()
    assert {each.job_id for each in desk.said(PlanAnsweredV1)} == {j.job_id for j in jobs[1:]}


async def test_what_is_covered_is_not_asked_for(desk, submission, ask):
    job = submission()
    page = TimeRange(job.start, Timeframe.parse("1m").advance(job.start, 1000))
    desk.coverage.observations.append(Observation(SERIES, page, job.submitted_at))
    total, _ = await ask(job)
    assert (total.slots_covered, total.requests) == (1000, 2)


async def test_a_job_that_asks_for_no_candles_then_computes_what_its_plan_said(
    desk, submission, ask
):
    job = submission(features=True, feature_sets=(DEFAULT,))
    desk.coverage.observations.append(
        Observation(SERIES, TimeRange(job.start, job.end), job.submitted_at)
    )
    total, _ = await ask(job)
    await desk.say(job)
    await desk.finish()
    (accepted,) = desk.said(JobAcceptedV1)
    assert (total.requests, total.pieces) == (0, accepted.chunks_total)


async def test_the_job_then_does_what_its_plan_said(desk, submission, ask):
    job = submission(symbols=("BTC/USDT", "ETH/USDT"), features=True, feature_sets=(DEFAULT,))
    total, _ = await ask(job)
    await desk.say(job)
    await desk.finish()
    assert len(desk.said(FetchRequestedV1)) == total.requests


async def test_a_plan_leaves_nothing_behind(desk, submission, ask):
    before = await desk.tables()
    await ask(submission(features=True, feature_sets=(DEFAULT,)))
    assert await desk.tables() == before


async def test_what_cannot_be_planned_is_told_with_the_reason(submission, ask):
    total, tasks = await ask(submission(timeframes=("7m",)))
    assert (tasks, "7m" in total.refused) == ([], True)
