"""Replays of features: planned like jobs, and switched to as a whole."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from candlelog.errors import Unavailable
from candlelog.events.feature_sets import FeatureBuildRef, FeatureSetRef
from candlelog.events.fields import EARLIEST
from candlelog.events.jobs import CancelJobV1, ReplayFeaturesV1, RetryJobV1, SwitchReplayV1
from candlelog.events.progress import (
    ChunkReleasedV1,
    CommandAnsweredV1,
    JobAcceptedV1,
    JobStateChangedV1,
    ReplayAnsweredV1,
    ReplayPlannedV1,
)
from candlelog.events.replay import BuildsChangedV1, ReplayRequestedV1
from candlelog.log.outcome import Done, Reject
from candlelog.market.series import Series

pytestmark = pytest.mark.connected

SERIES = Series("binance", "BTC/USDT", "1m")
V1, V2 = FeatureSetRef(name="mine", version=1), FeatureSetRef(name="mine", version=2)
OLD, NEW = FeatureBuildRef(version=1, build=0), FeatureBuildRef(version=2, build=0)


@pytest.fixture
def first_time(submission):
    return submission().start


@pytest.fixture
def stocked(desk, first_time):
    """A series of an hour whose features of `mine/1` are served, and of both versions stored."""
    times = {first_time + timedelta(minutes=minute) for minute in range(60)}
    desk.stock.open_times[SERIES] = times
    desk.stock.serving[SERIES, "mine"] = OLD
    for build in (OLD, NEW):
        desk.stock.features[SERIES, "mine", build.version, build.build] = times
    return desk


@pytest.fixture
def replay(submission):
    """A replay of `mine/2` of the whole series, but for what is said otherwise."""

    def make(**fields: object) -> ReplayFeaturesV1:
        job = submission()
        return ReplayFeaturesV1.model_validate(
            {
                "job_id": uuid4(), "exchange": "binance", "symbols": ("BTC/USDT",),
                "timeframes": ("1m",), "feature_set": V2, "submitted_by": "t",
                "submitted_at": job.submitted_at, **fields,
            }
        )  # fmt: skip

    return make


async def done(desk, replay: ReplayFeaturesV1) -> ReplayFeaturesV1:
    await desk.say(replay)
    await desk.finish()
    assert desk.states(replay.job_id) == ["queued", "running", "completed"]
    return replay


def command(desk, kind, replay: ReplayFeaturesV1, **fields: object):
    return kind(
        job_id=replay.job_id, correlation_id=uuid4(), requested_by="t",
        requested_at=desk.clock.now(), **fields,
    )  # fmt: skip


async def decided(desk, replay: ReplayFeaturesV1, action: str) -> tuple[bool, str]:
    asked = command(desk, SwitchReplayV1, replay, action=action)
    await desk.say(asked)
    await desk.finish()
    (answer,) = [
        each for each in desk.said(ReplayAnsweredV1) if each.correlation_id == asked.correlation_id
    ]
    return answer.accepted, answer.code


def changes(desk) -> list[tuple[int, dict[tuple[int, int], str]]]:
    return [
        (event.number, {(each.version, each.build): each.state for each in event.builds})
        for event in desk.said_on("replay.requested")
        if isinstance(event, BuildsChangedV1)
    ]


async def test_a_replay_asks_for_features_alone_and_tells_what_it_is_compared_with(stocked, replay):
    job = await done(stocked, replay())
    (planned,) = stocked.said(ReplayPlannedV1)
    assert (planned.feature_set, planned.new, planned.old) == ("mine", NEW, OLD)
    first = min(stocked.stock.open_times[SERIES])
    assert (planned.start, planned.end) == (first, first + timedelta(hours=1))
    asked = stocked.said(ReplayRequestedV1)
    assert {(each.feature_set, each.build, each.job_id) for each in asked} == {(V2, 0, job.job_id)}
    assert asked[0].start == EARLIEST
    assert asked[0].end == asked[1].start == first
    assert {event.route for event in stocked.said(ChunkReleasedV1)} == {"features"}
    (accepted,) = stocked.said(JobAcceptedV1)
    assert (accepted.chunks_total, accepted.slots_expected) == (2, 0)


async def test_later_jobs_carry_a_new_version_and_compute_it_no_more(stocked, replay, submission):
    await done(stocked, replay())
    rows = await stocked.pool.fetch("SELECT feature_set, complete FROM series_features")
    assert [tuple(row) for row in rows] == [("mine/2", True)]


async def test_each_replay_of_a_version_is_a_build_of_its_own(stocked, replay):
    for _ in range(2):
        await done(stocked, replay())
    await done(stocked, replay(feature_set=V1))
    planned = [(each.new.version, each.new.build) for each in stocked.said(ReplayPlannedV1)]
    assert sorted(planned) == [(1, 1), (2, 0), (2, 1)]
    assert sorted(each.build for each in stocked.said(ReplayRequestedV1)) == [0, 0, 1, 1, 1, 1]


async def test_a_replay_of_a_range_leaves_nothing_out_of_it_and_is_no_first_build(
    stocked, replay, first_time
):
    start, end = first_time + timedelta(minutes=5), first_time + timedelta(days=9)
    await done(stocked, replay(start=start, end=end))
    asked = stocked.said(ReplayRequestedV1)
    assert [(each.start, each.end, each.build) for each in asked] == [(start, end, 1)]
    assert await stocked.pool.fetch("SELECT FROM series_features") == []


async def failed(desk, job: ReplayFeaturesV1) -> str:
    """The reason why a replay failed, of which nothing was asked for."""
    await desk.say(job)
    await desk.finish()
    (changed,) = [e for e in desk.said(JobStateChangedV1) if e.job_id == job.job_id]
    assert changed.state == "failed"
    assert desk.said(ReplayRequestedV1) == []
    return changed.reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"start": "2031-01-01T00:00:00Z"}, "binance|BTC/USDT|1m has no candles in this range"),
        ({"symbols": ("ETH/USDT",)}, "binance|ETH/USDT|1m has no candles in this range"),
        ({"feature_set": {"name": "b", "version": 1}}, "BTC/USDT|1m has no features of 'b'"),
    ],
)  # fmt: skip
async def test_a_replay_of_nothing_fails_with_the_reason(stocked, replay, fields, reason):
    assert reason in await failed(stocked, replay(**fields))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"timeframes": ("7m",)}, "7m"),
        ({"start": "2024-01-02T00:00:00Z", "end": "2024-01-01T00:00:00Z"}, "before"),
    ],
)  # fmt: skip
async def test_a_replay_that_breaks_a_rule_fails_and_its_command_is_rejected(
    stocked, replay, fields, reason
):
    assert reason in await failed(stocked, replay(**fields))
    assert isinstance(stocked.outcomes[0], Reject)


async def test_a_replay_of_nothing_is_not_retried(stocked, replay):
    await failed(stocked, job := replay(symbols=("ETH/USDT",)))
    await stocked.say(command(stocked, RetryJobV1, job))
    await stocked.finish()
    (answer,) = stocked.said(CommandAnsweredV1)
    assert (answer.accepted, answer.code) == (False, "nothing_to_do")
    assert await stocked.pool.fetch("SELECT FROM submissions") == []


@pytest.fixture
def away(stocked, monkeypatch):
    """ClickHouse is away, until the block ends."""

    async def unavailable(*_):
        raise Unavailable("ClickHouse is away")

    with monkeypatch.context() as outage:
        outage.setattr(stocked.stock, "candles", unavailable)
        outage.setattr(stocked.stock, "served", unavailable)
        yield outage


async def test_a_replay_for_which_nothing_can_be_read_holds_up_no_command(stocked, replay, away):
    await stocked.say(job := replay(), command(stocked, CancelJobV1, job))
    await stocked.finish()
    assert stocked.states(job.job_id) == ["cancelled"]


async def test_a_replay_is_planned_when_clickhouse_is_back(stocked, replay, away):
    await stocked.say(job := replay())
    with pytest.raises(Unavailable):
        await stocked.finish()
    assert stocked.states(job.job_id) == []
    away.undo()
    await stocked.finish()
    assert stocked.states(job.job_id) == ["queued", "running", "completed"]
    assert set(map(type, stocked.outcomes[:1])) == {Done}


async def test_two_coordinators_plan_a_replay_once(stocked, replay, monkeypatch):
    candles, both = stocked.stock.candles, asyncio.Barrier(2)

    async def at_the_same_time(*of):
        await both.wait()
        return await candles(*of)

    await stocked.say(replay())
    await stocked.consume()
    with monkeypatch.context() as racing:
        racing.setattr(stocked.stock, "candles", at_the_same_time)
        await asyncio.gather(stocked.submissions.step(), stocked.submissions.step())
    await stocked.finish()
    assert len(stocked.said(ReplayPlannedV1)) == 1
    assert len(stocked.said(JobAcceptedV1)) == 1


async def test_a_replay_that_is_cancelled_while_the_store_is_read_does_not_fail(
    stocked, replay, monkeypatch
):
    job, candles = replay(symbols=("ETH/USDT",)), stocked.stock.candles

    async def meanwhile(*of):
        await stocked.say(command(stocked, CancelJobV1, job))
        await stocked.consume()
        return await candles(*of)

    monkeypatch.setattr(stocked.stock, "candles", meanwhile)
    await stocked.say(job)
    await stocked.finish()
    assert stocked.states(job.job_id) == ["cancelled"]


@pytest.mark.parametrize("action", ["switch", "switch_back", "close"])
async def test_a_replay_that_is_not_planned_yet_is_not_over(stocked, replay, action):
    await stocked.say(job := replay(), command(stocked, SwitchReplayV1, job, action=action))
    await stocked.finish()
    assert [each.code for each in stocked.said(ReplayAnsweredV1)] == ["replay_not_over"]


@pytest.mark.parametrize("action", ["switch", "switch_back", "close"])
async def test_of_a_replay_that_was_cancelled_before_it_was_planned_there_is_nothing_to_decide(
    stocked, replay, action
):
    await stocked.say(job := replay(), command(stocked, CancelJobV1, job))
    await stocked.consume()
    assert await decided(stocked, job, action) == (False, "replay_incomplete")


async def test_a_switch_and_a_switch_back_change_both_builds_at_once(stocked, replay):
    job = await done(stocked, replay())
    assert await decided(stocked, job, "switch") == (True, "accepted")
    assert await decided(stocked, job, "switch_back") == (True, "accepted")
    assert changes(stocked) == [
        (1, {(2, 0): "serving", (1, 0): "beside"}),
        (2, {(1, 0): "serving", (2, 0): "beside"}),
    ]


async def test_what_is_served_already_or_not_is_refused_and_nothing_changes(stocked, replay):
    job = await done(stocked, replay())
    assert await decided(stocked, job, "switch_back") == (False, "not_switched")
    await decided(stocked, job, "switch")
    before = await stocked.tables()
    assert await decided(stocked, job, "switch") == (False, "already_switched")
    assert await stocked.tables() == before
    assert len(changes(stocked)) == 1


async def test_a_replay_that_is_not_over_is_not_switched_to(stocked, replay):
    stocked.compute = lambda request: []
    await stocked.say(job := replay())
    await stocked.finish()
    for action in ("switch", "switch_back", "close"):
        assert await decided(stocked, job, action) == (False, "replay_not_over")
    assert changes(stocked) == []


async def test_no_replay_is_switched_to_while_another_one_of_the_set_runs(stocked, replay):
    job = await done(stocked, replay())
    stocked.compute = lambda request: []
    await stocked.say(other := replay())
    await stocked.finish()
    assert await decided(stocked, job, "switch") == (False, "another_replay_runs")
    assert changes(stocked) == []
    await stocked.say(command(stocked, CancelJobV1, other))
    await stocked.finish()
    assert await decided(stocked, other, "switch") == (False, "replay_incomplete")
    assert await decided(stocked, job, "switch") == (True, "accepted")


async def test_a_switch_that_would_lose_features_is_refused_with_their_number(stocked, replay):
    job = await done(stocked, replay())
    stocked.stock.features[SERIES, "mine", 2, 0] = set()
    assert await decided(stocked, job, "switch") == (False, "features_missing")
    assert "60 candles would lose" in stocked.said(ReplayAnsweredV1)[-1].reason
    assert changes(stocked) == []


async def test_a_switch_whose_losses_cannot_be_counted_is_refused_and_holds_up_nothing(
    stocked, replay, monkeypatch
):
    async def away(*_):
        raise Unavailable("ClickHouse: memory limit exceeded")

    job = await done(stocked, replay())
    monkeypatch.setattr(stocked.stock, "lost", away)
    assert await decided(stocked, job, "switch") == (False, "comparison_failed")
    assert await decided(stocked, job, "close") == (True, "accepted")


async def test_a_count_of_losses_without_an_end_is_given_up(stocked, replay, monkeypatch):
    async def endless(*_):
        await asyncio.Event().wait()

    job = await done(stocked, replay())
    monkeypatch.setattr("coordinator.handlers.replays.COUNT_SECONDS", 0.01)
    monkeypatch.setattr(stocked.stock, "lost", endless)
    assert await decided(stocked, job, "switch") == (False, "comparison_failed")


async def test_a_replay_that_was_compared_with_something_else_is_not_switched_to(stocked, replay):
    first, second = await done(stocked, replay()), await done(stocked, replay())
    stocked.stock.features[SERIES, "mine", 2, 1] = stocked.stock.open_times[SERIES]
    await decided(stocked, first, "switch")
    assert await decided(stocked, second, "switch") == (False, "superseded")
    third = await done(stocked, replay())
    planned = next(e for e in stocked.said(ReplayPlannedV1) if e.job_id == third.job_id)
    assert planned.old == NEW
    await decided(stocked, first, "switch_back")
    assert await decided(stocked, second, "switch") == (True, "accepted")


async def test_a_job_that_is_no_replay_is_not_switched_to(desk, submission, replay):
    job = submission()
    await desk.say(job)
    await desk.finish()
    assert await decided(desk, replay(job_id=job.job_id), "switch") == (False, "replay_incomplete")


async def test_a_replay_that_nobody_knows_is_not_switched_to(desk, replay):
    assert await decided(desk, replay(job_id=uuid4()), "switch") == (False, "unknown_replay")


@pytest.mark.parametrize("action", ["switch", "switch_back", "close"])
async def test_of_a_replay_of_what_is_not_stored_nothing_is_switched_to(desk, replay, action):
    nothing = replay()
    await desk.say(nothing)
    await desk.finish()
    assert await decided(desk, nothing, action) == (False, "replay_incomplete")


async def test_closing_gives_up_what_is_not_served_and_forgets_that_the_series_had_it(
    stocked, replay
):
    job = await done(stocked, replay())
    await stocked.pool.execute(
        "INSERT INTO series_features VALUES ('binance', 'BTC/USDT', '1m', 'mine/1', true, $1)",
        job.job_id,
    )
    await decided(stocked, job, "switch")
    assert await decided(stocked, job, "close") == (True, "accepted")
    assert changes(stocked)[-1] == (2, {(1, 0): "closed"})
    rows = await stocked.pool.fetch("SELECT feature_set FROM series_features")
    assert [row[0] for row in rows] == ["mine/2"]
    assert await decided(stocked, job, "switch_back") == (False, "replay_closed")
    assert await decided(stocked, job, "close") == (False, "replay_closed")


async def test_closing_an_unserved_replay_gives_up_its_own_build(stocked, replay):
    job = await done(stocked, replay())
    assert await decided(stocked, job, "close") == (True, "accepted")
    assert changes(stocked) == [(1, {(2, 0): "closed"})]
    rows = await stocked.pool.fetch("SELECT feature_set FROM series_features")
    assert [row[0] for row in rows] == ["mine/1"]


async def test_a_build_that_another_replay_may_switch_back_to_is_kept(stocked, replay):
    first = await done(stocked, replay())
    await decided(stocked, first, "switch")
    second = await done(stocked, replay())
    stocked.stock.features[SERIES, "mine", 2, 1] = stocked.stock.open_times[SERIES]
    await decided(stocked, second, "switch")
    await decided(stocked, first, "close")
    assert changes(stocked)[-1] == (3, {(1, 0): "closed"})
    assert await decided(stocked, second, "switch_back") == (True, "accepted")
    await decided(stocked, second, "close")
    assert changes(stocked)[-1] == (5, {(2, 1): "closed"})


async def test_a_job_that_asks_for_a_closed_version_opens_it_again_and_computes_it_all(
    stocked, replay, submission
):
    job = await done(stocked, replay())
    await decided(stocked, job, "close")
    asked = submission(features=True, feature_sets=(V2,))
    await stocked.say(asked)
    await stocked.finish()
    assert stocked.states(asked.job_id)[-1] == "completed"
    assert changes(stocked) == [(1, {(2, 0): "closed"}), (2, {(2, 0): "beside"})]
    requests = [e for e in stocked.said(ReplayRequestedV1) if e.job_id == asked.job_id]
    assert {(each.feature_set, each.build) for each in requests} == {(V2, 0)}
    assert requests[0].start == EARLIEST
    log = stocked.said_on("replay.requested")
    assert log.index(requests[0]) > max(log.index(e) for e in log if isinstance(e, BuildsChangedV1))
    await stocked.say(submission(features=True, feature_sets=(V2,)))
    await stocked.finish()
    assert len(changes(stocked)) == 2


async def test_both_closed_versions_that_a_job_asks_for_are_opened_by_one_word(
    stocked, replay, submission
):
    job = await done(stocked, replay())
    other = await done(stocked, replay(feature_set={"name": "mine", "version": 3}))
    for each in (job, other):
        await decided(stocked, each, "close")
    sets = (V2, FeatureSetRef(name="mine", version=3))
    await stocked.say(submission(features=True, feature_sets=sets))
    await stocked.finish()
    assert changes(stocked)[-1] == (3, {(2, 0): "beside", (3, 0): "beside"})


async def test_a_job_opens_nothing_that_was_not_closed(stocked, replay, submission):
    await done(stocked, replay())
    asked = submission(features=True, feature_sets=(V1, V2))
    await stocked.say(asked)
    await stocked.finish()
    assert stocked.states(asked.job_id)[-1] == "completed"
    assert changes(stocked) == []
