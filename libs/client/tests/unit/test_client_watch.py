"""Following a job: snapshot, deltas, lost connections, the end."""

import pytest

from candlelog_client.errors import NotFound, Unauthorized, Unreachable
from candlelog_client.results import Job
from candlelog_client.watching import Reconnect, Watch, apply

INSTANTLY = Reconnect(attempts=3, first=0.0, longest=0.0)


def message(kind: str, cursor: str, *jobs: dict) -> dict:
    return {"type": kind, "cursor": cursor, "jobs": list(jobs)}


async def progress(feed, api, **changes) -> list[float]:
    async def read(_: str) -> Job:
        return Job.model_validate(api.job(progress_pct=0.0, **changes))

    return [job.progress_pct async for job in Watch(feed, api.job_id, INSTANTLY).states(read)]


async def test_every_state_is_told_until_the_end(feed, api):
    feed.connections = [
        [
            message("snapshot", "1", api.job(progress_pct=10.0)),
            message("delta", "2", api.job(progress_pct=60.0)),
            message("delta", "3", api.job(progress_pct=100.0, status="completed")),
            message("delta", "4", api.job(progress_pct=100.0, label="never read")),
        ]
    ]
    assert await progress(feed, api) == [0.0, 10.0, 60.0, 100.0]


async def test_a_lost_connection_goes_on_at_its_cursor(feed, api):
    feed.connections = [
        [message("snapshot", "1", api.job()), message("delta", "2", api.job()), Unreachable("cut")],
        [],
        [message("delta", "3", api.job(progress_pct=100.0, status="completed"))],
    ]
    await progress(feed, api)
    assert feed.cursors == [None, "2", "2"]


async def test_a_feed_that_stays_silent_is_given_up(feed, api):
    feed.connections = [[message("snapshot", "1", api.job())]]
    with pytest.raises(Unreachable, match="the server is away"):
        await progress(feed, api)
    assert feed.cursors == [None, *["1"] * INSTANTLY.attempts]


async def test_a_refused_feed_is_not_asked_again(feed, api):
    feed.connections = [[Unauthorized("no", status=401, code="unauthenticated")]]
    with pytest.raises(Unauthorized):
        await progress(feed, api)
    assert len(feed.cursors) == 1


async def test_a_job_that_has_ended_needs_no_feed(feed, api):
    assert await progress(feed, api, status="cancelled") == [0.0]
    assert feed.cursors == []


async def test_an_unknown_job_is_not_found(client, api):
    with pytest.raises(NotFound):
        async for _ in client.jobs.watch(api.job_id):
            pass


def test_a_delta_replaces_the_tasks_it_names_and_keeps_the_others(api):
    (task,) = api.job()["tasks"]
    before = Job.model_validate(api.job(tasks=[task, {**task, "id": "other"}]))
    delta = {**api.job(tasks=[{**task, "progress_pct": 75.0}]), "symbols": None}
    after = apply(before, Job.model_validate(delta))
    assert [(t.id, t.progress_pct) for t in after.tasks] == [(task["id"], 75.0), ("other", 50.0)]
    assert after.symbols == ("BTC/USDT",)


def test_waits_double_up_to_a_bound_and_end():
    class Highest:
        def uniform(self, low: float, high: float) -> float:
            return high

    reconnect = Reconnect(attempts=6, first=0.5, longest=4.0, random=Highest())
    assert [reconnect.delay(n) for n in range(1, 8)] == [1.0, 2.0, 4.0, 4.0, 4.0, 4.0, None]
