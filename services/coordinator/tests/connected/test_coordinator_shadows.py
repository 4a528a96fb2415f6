"""Replays of candles: one after the other, a step at a time, and switched to when asked."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from candlelog.errors import Unavailable
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.jobs import ReplayCandlesV1, SwitchReplayV1
from candlelog.events.progress import JobStateChangedV1, ReplayAnsweredV1
from candlelog.events.rebuild import (
    PartRebuiltV1,
    RebuildRequestedV1,
    ShadowChangedV1,
    ShadowRequestedV1,
)
from candlelog.events.replay import ReplayRequestedV1
from candlelog.log.outcome import Reject
from candlelog.log.partitioner import partition_of
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from coordinator.domain.shadows import PARTS, Span

pytestmark = pytest.mark.connected


def command(desk) -> ReplayCandlesV1:
    return ReplayCandlesV1(job_id=uuid4(), submitted_by="t", submitted_at=desk.clock.now())


def asked(desk, job) -> list[ShadowRequestedV1]:
    return [each for each in desk.said(ShadowRequestedV1) if each.job_id == job.job_id]


async def answer(desk, job) -> None:
    """What the sink says of the step it was asked for last."""
    step = asked(desk, job)[-1]
    done = ShadowChangedV1(
        job_id=job.job_id,
        step=step.step,
        correlation_id=step.correlation_id,
        changed_at=desk.clock.now(),
    )
    await desk.say(done, done)
    await desk.finish()


async def through(desk, job, origin: str, partitions=range(PARTS)) -> None:
    """What the sink says when these parts are rebuilt."""
    for partition in partitions:
        part = PartRebuiltV1(
            job_id=job.job_id, origin=origin, partition=partition, done=9, total=9,
            rebuilt_at=desk.clock.now(),
        )  # fmt: skip
        await desk.say(part, part)
    await desk.finish()


async def opened(desk) -> ReplayCandlesV1:
    await desk.say(job := command(desk))
    await desk.finish()
    await answer(desk, job)
    return job


async def rebuilt(desk) -> ReplayCandlesV1:
    job = await opened(desk)
    await through(desk, job, "log")
    await through(desk, job, "store")
    assert desk.states(job.job_id) == ["queued", "running", "completed"]
    return job


async def decided(desk, job, action: str) -> ReplayAnsweredV1 | None:
    """What is answered to an action, once the sink has done what it was asked for."""
    switch = SwitchReplayV1(
        job_id=job.job_id, correlation_id=uuid4(), action=action, requested_by="t",
        requested_at=desk.clock.now(),
    )  # fmt: skip
    await desk.say(switch)
    await desk.finish()
    if [each for each in asked(desk, job) if each.correlation_id == switch.correlation_id]:
        assert answers(desk, switch) == []
        await answer(desk, job)
    (found,) = answers(desk, switch)
    return found.code


def answers(desk, switch) -> list[ReplayAnsweredV1]:
    return [
        each for each in desk.said(ReplayAnsweredV1) if each.correlation_id == switch.correlation_id
    ]


async def test_each_partition_is_rebuilt_from_the_log_and_then_from_the_store(desk):
    job = await opened(desk)
    requests = desk.said(RebuildRequestedV1)
    assert {(each.origin, each.partition) for each in requests} == {("log", n) for n in range(12)}
    assert all(partition_of(each.key.encode(), PARTS) == each.partition for each in requests)
    await through(desk, job, "log", range(PARTS - 1))
    assert len(desk.said(RebuildRequestedV1)) == PARTS
    await through(desk, job, "log", [PARTS - 1])
    requests = desk.said(RebuildRequestedV1)
    assert [each.origin for each in requests].count("store") == PARTS
    assert desk.states(job.job_id) == ["queued", "running"]
    await through(desk, job, "store")
    assert desk.states(job.job_id) == ["queued", "running", "completed"]


async def test_while_one_is_open_another_fails(desk):
    first = await rebuilt(desk)
    await desk.say(second := command(desk))
    await desk.finish()
    (failed,) = [e for e in desk.said(JobStateChangedV1) if e.job_id == second.job_id]
    assert (failed.state, str(first.job_id) in failed.reason) == ("failed", True)
    assert any(isinstance(outcome, Reject) for outcome in desk.outcomes)
    assert asked(desk, second) == []
    assert await decided(desk, first, "close") == "accepted"
    third = await opened(desk)
    assert asked(desk, third)[0].number > asked(desk, first)[0].number


async def test_a_rejected_replay_that_comes_again_is_rejected_again(desk):
    """Its dead letter is written after the transaction: it may not have been."""
    await rebuilt(desk)
    await desk.say(command(desk))
    await desk.finish()
    desk.read_again_from_the_start()
    await desk.finish()
    rejected = [outcome for outcome in desk.outcomes if isinstance(outcome, Reject)]
    assert len(rejected) == 2


async def test_a_switch_is_answered_when_it_is_done(desk):
    job = await rebuilt(desk)
    assert await decided(desk, job, "switch_back") == "not_switched"
    assert await decided(desk, job, "switch") == "accepted"
    assert await decided(desk, job, "switch") == "already_switched"
    assert await decided(desk, job, "switch_back") == "accepted"
    assert await decided(desk, job, "close") == "accepted"
    assert await decided(desk, job, "switch") == "replay_closed"
    assert [each.step for each in asked(desk, job)] == ["open", "switch", "switch_back", "close"]


async def test_what_is_not_rebuilt_is_not_switched_to_but_may_be_given_up(desk):
    job = await opened(desk)
    assert await decided(desk, job, "switch") == "replay_not_over"
    assert await decided(desk, job, "close") == "accepted"
    assert desk.states(job.job_id)[-1] == "cancelled"
    await through(desk, job, "log")
    assert desk.states(job.job_id)[-1] == "cancelled"


async def test_a_second_step_waits_for_the_first(desk):
    job = await rebuilt(desk)
    first, second = (
        SwitchReplayV1(
            job_id=job.job_id, correlation_id=uuid4(), action=action, requested_by="t",
            requested_at=desk.clock.now(),
        )
        for action in ("switch", "close")
    )  # fmt: skip
    await desk.say(first, second)
    await desk.finish()
    assert [each.code for each in answers(desk, second)] == ["step_not_done"]
    await answer(desk, job)
    assert [each.code for each in answers(desk, first)] == ["accepted"]


async def test_features_of_candles_that_change_are_computed_after_the_switch(desk):
    job = await rebuilt(desk)
    start = desk.clock.now().replace(second=0)
    span = Span(
        Series("binance", "BTC/USDT", "1m"),
        TimeRange(start, start + timedelta(minutes=5)),
        DEFAULT,
        0,
    )
    desk.changes.found = [span]
    assert await decided(desk, job, "switch") == "accepted"
    (request,) = desk.said(ReplayRequestedV1)
    assert (request.start, request.end, request.feature_set) == (
        span.times.start,
        span.times.end,
        DEFAULT,
    )
    assert await decided(desk, job, "switch_back") == "accepted"
    assert len({each.chunk_id for each in desk.said(ReplayRequestedV1)}) == 2


async def test_a_replay_whose_shadow_is_gone_is_closed_and_not_switched_to(desk):
    job = await rebuilt(desk)
    desk.changes.found = None
    assert await decided(desk, job, "switch") == "shadow_missing"
    assert await decided(desk, job, "close") == "accepted"


async def test_a_comparison_that_fails_is_answered_and_holds_up_nothing(desk):
    job = await rebuilt(desk)

    async def away() -> list[Span]:
        raise Unavailable("ClickHouse: memory limit exceeded")

    found, desk.changes.spans = desk.changes.spans, away
    assert await decided(desk, job, "switch") == "comparison_failed"
    desk.changes.spans = found
    assert await decided(desk, job, "switch") == "accepted"
    desk.changes.spans = away
    assert await decided(desk, job, "close") == "accepted"


async def test_a_comparison_without_an_end_is_given_up(desk, monkeypatch):
    job = await rebuilt(desk)
    monkeypatch.setattr("coordinator.handlers.shadows.COMPARE_SECONDS", 0.01)
    desk.changes.spans = asyncio.Event().wait
    assert await decided(desk, job, "switch") == "comparison_failed"


async def test_an_unknown_replay_is_left_to_those_of_features(desk):
    assert await decided(desk, command(desk), "switch") == "unknown_replay"
