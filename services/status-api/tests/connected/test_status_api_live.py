"""Live progress over SSE and WebSocket, on the real stores."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx
import orjson
import pytest
from httpx_sse import aconnect_sse
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from candlelog.events.codec import Message
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.jobs import SubmitJobV1
from candlelog.events.progress import (
    BatchStoredV1,
    ChunkFetchedV1,
    FeaturesStoredV1,
    JobAcceptedV1,
    JobStateChangedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)

pytestmark = pytest.mark.connected

T0 = datetime(2024, 2, 1, tzinfo=UTC)


class Story:
    """The events of a job with one series, some chunks and features, in the order they happen."""

    def __init__(self, chunks: int) -> None:
        self.job_id = uuid4()
        self.task_id = uuid5(self.job_id, "task")
        self.chunks = chunks

    def beginning(self) -> list[Message]:
        """Submitted, planned, running."""
        end = T0 + timedelta(minutes=1000 * self.chunks)
        figures = {
            "chunks_total": self.chunks,
            "slots_expected": 1000 * self.chunks,
            "slots_covered": 0,
        }
        return [
            SubmitJobV1(
                job_id=self.job_id, exchange="binance", symbols=("BTC/USDT",), timeframes=("1m",),
                start=T0, end=end, submitted_by="test", submitted_at=datetime.now(UTC),
                features=True, feature_sets=(DEFAULT,),
            ),
            TaskPlannedV1(
                job_id=self.job_id, task_id=self.task_id, exchange="binance", symbol="BTC/USDT",
                timeframe="1m", start=T0, end=end, route_reason="test", planned_at=T0,
                features=True, **figures,
            ),
            JobAcceptedV1(job_id=self.job_id, tasks_total=1, accepted_at=T0, **figures),
            self.state(1, "queued"),
            self.state(2, "running"),
        ]  # fmt: skip

    def chunk(self, number: int) -> list[Message]:
        """One chunk fetched and stored, and its features."""
        which = {
            "job_id": self.job_id, "task_id": self.task_id, "generation": 0, "release": 1,
            "chunk_id": uuid5(self.task_id, str(number)),
        }  # fmt: skip
        return [
            ChunkFetchedV1(
                **which, candles=1000, quarantined=0, parts=1, weight=2, fetched_by="f",
                fetched_at=T0,
            ),
            BatchStoredV1(
                **which, part=0, last_part=True, candles=1000, slots_explained=1000,
                quarantined=0, start=T0, end=T0 + timedelta(minutes=1), stored_at=T0,
            ),
            FeaturesStoredV1(**which, features=1000, stored_at=T0),
        ]  # fmt: skip

    def ending(self) -> list[Message]:
        """Task and job completed."""
        done = TaskStateChangedV1(
            job_id=self.job_id, task_id=self.task_id, version=1, state="completed", changed_at=T0
        )
        return [done, self.state(3, "completed")]

    def state(self, version: int, state: str) -> JobStateChangedV1:
        return JobStateChangedV1(
            job_id=self.job_id, version=version, generation=0, state=state,
            changed_at=T0 + timedelta(seconds=version),
        )  # fmt: skip


async def begun(api: Any, chunks: int) -> Story:
    """A running job that is visible."""
    story = Story(chunks)
    await api.publisher.publish(*story.beginning())
    await until(api, story.job_id, "running")
    return story


async def until(api: Any, job_id: UUID, status: str) -> dict[str, Any]:
    """The job once it has this status."""

    async def look() -> dict[str, Any] | None:
        answer = await api.http.get(f"/jobs/{job_id}")
        there = answer.status_code == 200 and answer.json()["status"] == status
        return answer.json() if there else None

    return await api.folds.until(look)


def opened(served: Any, token: str = "r-secret", **query: Any) -> Any:
    parameters = httpx.QueryParams({name: str(value) for name, value in query.items()})
    return connect(
        f"{served.url.replace('http', 'ws')}/api/v1/stream?{parameters}",
        additional_headers={"Authorization": f"Bearer {token}"} if token else {},
        proxy=None,
    )


async def received(socket: ClientConnection) -> dict[str, Any]:
    return orjson.loads(await asyncio.wait_for(socket.recv(), 60))


class View:
    """What a client knows after applying every message by id."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.cursor: str | None = None
        self.messages = 0

    def apply(self, message: dict[str, Any]) -> None:
        self.messages += 1
        self.cursor = message["cursor"]
        for job in message["jobs"]:
            before = self.jobs.get(job["id"], {"progress_pct": 0, "candles_stored": 0})
            assert job["progress_pct"] >= before["progress_pct"], "progress fell"
            assert job["candles_stored"] >= before["candles_stored"]
            self.jobs[job["id"]] = {**before, **job}
            self.tasks |= {task["id"]: task for task in job["tasks"]}

    def ended(self, job_id: UUID) -> bool:
        return self.jobs.get(str(job_id), {}).get("status") == "completed"


async def test_a_socket_sends_a_snapshot_and_then_what_changes(api: Any):
    story = await begun(api, chunks=2)
    view = View()
    async with opened(api, jobs=story.job_id) as socket:
        snapshot = await received(socket)
        assert snapshot["type"] == "snapshot"
        assert [task["symbol"] for task in snapshot["jobs"][0]["tasks"]] == ["BTC/USDT"]
        view.apply(snapshot)
        await api.publisher.publish(*story.chunk(0))
        while view.jobs[str(story.job_id)]["features_stored"] < 1000:
            delta = await received(socket)
            assert delta["type"] == "delta"
            view.apply(delta)
        assert view.jobs[str(story.job_id)]["progress_pct"] == 50
        assert view.tasks[str(story.task_id)]["candles_stored"] == 1000
        assert view.tasks[str(story.task_id)]["features_stored"] == 1000
        await api.publisher.publish(*story.chunk(1), *story.ending())
        while not view.ended(story.job_id):
            view.apply(await received(socket))
    job = (await api.http.get(f"/jobs/{story.job_id}")).json()
    live = view.jobs[str(story.job_id)]
    assert {name: live[name] for name in job if name != "tasks"} == {
        name: value for name, value in job.items() if name != "tasks"
    }
    assert view.tasks[str(story.task_id)] == job["tasks"][0]


async def test_a_client_that_comes_and_goes_on_both_replicas_misses_nothing(api: Any, second: Any):
    random, chunks = Random(7), 120
    story = await begun(api, chunks)
    other = await begun(api, 1)
    view = View()

    async def happen() -> None:
        for number in range(chunks):
            await api.publisher.publish(
                *story.chunk(number), *story.chunk(random.randint(0, number))
            )
            await asyncio.sleep(random.random() / 50)
        await api.publisher.publish(*story.ending(), *other.chunk(0))
        await api.publisher.publish(*other.ending())

    happening = asyncio.create_task(happen())
    ids = f"{story.job_id},{other.job_id}"
    async with asyncio.timeout(240):
        while not (view.ended(story.job_id) and view.ended(other.job_id)):
            cursor = {"cursor": view.cursor} if view.cursor else {}
            async with opened(random.choice([api, second]), jobs=ids, **cursor) as socket:
                first = await received(socket)
                assert first["type"] == ("delta" if cursor else "snapshot")
                view.apply(first)
                for _ in range(random.randint(0, 3)):
                    if not (view.ended(story.job_id) and view.ended(other.job_id)):
                        view.apply(await received(socket))
    await happening
    for job_id in (story.job_id, other.job_id):
        job = (await api.http.get(f"/jobs/{job_id}")).json()
        live = view.jobs[str(job_id)]
        assert live["candles_stored"] == job["candles_stored"] == job["candles_expected"]
        assert live["features_stored"] == job["features_stored"] == job["candles_expected"]
        assert view.tasks[job["tasks"][0]["id"]] == job["tasks"][0]


@pytest.mark.parametrize("sent", ["ping", b"ping"])
async def test_what_a_client_sends_does_not_end_its_stream(api: Any, sent: str | bytes):
    story = await begun(api, 1)
    async with opened(api, jobs=story.job_id) as socket:
        await socket.recv()
        await socket.send(sent)
        await socket.send(sent)
        await api.publisher.publish(*story.chunk(0), *story.ending())
        async with asyncio.timeout(240):
            while orjson.loads(await socket.recv())["jobs"][0]["status"] != "completed":
                pass


async def test_a_slow_client_gets_fewer_messages_and_the_newest_state(api: Any):
    story = await begun(api, chunks=300)
    view = View()
    async with opened(api, jobs=story.job_id) as socket:
        view.apply(await received(socket))
        for number in range(300):
            await api.publisher.publish(*story.chunk(number))
        await api.publisher.publish(*story.ending())
        await until(api, story.job_id, "completed")
        while not view.ended(story.job_id):
            view.apply(await received(socket))
    assert view.messages < 150
    assert view.jobs[str(story.job_id)]["chunks_done"] == 300


async def test_who_watches_all_jobs_sees_new_ones(api: Any):
    view = View()
    async with opened(api, jobs="all") as socket:
        view.apply(await received(socket))
        story = await begun(api, chunks=1)
        while view.jobs.get(str(story.job_id), {}).get("status") != "running":
            view.apply(await received(socket))


async def test_an_old_cursor_still_resumes(api: Any):
    story = await begun(api, chunks=1)
    async with opened(api, jobs=story.job_id) as socket:
        cursor = (await received(socket))["cursor"]
    await api.publisher.publish(*story.chunk(0), *story.ending())
    await until(api, story.job_id, "completed")
    async with opened(api, jobs=story.job_id, cursor=cursor) as socket:
        delta = await received(socket)
        again = delta["cursor"]
    assert (delta["type"], delta["jobs"][0]["status"]) == ("delta", "completed")
    assert "symbols" not in delta["jobs"][0]
    async with opened(api, jobs=story.job_id, cursor=again) as socket:
        assert (await received(socket))["jobs"] == []


@asynccontextmanager
async def events(served: Any, job_id: UUID, **options: Any) -> AsyncIterator[Any]:
    async with (
        httpx.AsyncClient(trust_env=False, timeout=20) as http,
        aconnect_sse(http, "GET", f"{served.url}/api/v1/jobs/{job_id}/events", **options) as source,
    ):
        yield source


async def test_events_of_a_job_resume_at_the_last_id(api: Any):
    story = await begun(api, chunks=1)
    token = {"Authorization": "Bearer r-secret"}
    async with events(api, story.job_id, headers=token) as source:
        event = await anext(source.aiter_sse())
        message = orjson.loads(event.data)
        assert (event.event, event.id) == ("snapshot", message["cursor"])
        assert message["jobs"][0]["status"] == "running"
    await api.publisher.publish(*story.chunk(0), *story.ending())
    await until(api, story.job_id, "completed")
    headers = {**token, "Last-Event-ID": event.id}
    async with events(api, story.job_id, headers=headers) as source:
        event = await anext(source.aiter_sse())
    assert event.event == "delta"
    assert orjson.loads(event.data)["jobs"][0]["candles_stored"] == 1000


async def test_browsers_may_send_the_token_in_the_query_of_live_connections(api: Any):
    story = await begun(api, chunks=1)
    async with events(api, story.job_id, params={"token": "r-secret"}) as source:
        assert (await anext(source.aiter_sse())).event == "snapshot"
    address = f"{api.url.replace('http', 'ws')}/api/v1/stream?jobs=all&token=r-secret"
    async with connect(address, proxy=None) as socket:
        assert (await received(socket))["type"] == "snapshot"


async def refusal(served: Any, **query: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        async with opened(served, **query):
            pass
    answer = caught.value.response
    return answer.status_code, orjson.loads(answer.body)["code"]


async def test_a_socket_is_refused_before_it_opens(api: Any):
    assert await refusal(api, token="", jobs="all") == (401, "unauthenticated")
    assert await refusal(api, token="wrong", jobs="all") == (401, "unauthenticated")
    assert await refusal(api) == (422, "missing_field")
    assert await refusal(api, jobs=uuid.uuid4()) == (404, "unknown_job")
    assert await refusal(api, jobs="one,two") == (404, "unknown_job")
    assert await refusal(api, jobs="all", cursor="nonsense") == (422, "malformed_cursor")
    assert await refusal(api, jobs="all", curser="x") == (422, "unknown_field")
    many = ",".join(str(uuid.uuid4()) for _ in range(101))
    assert await refusal(api, jobs=many) == (422, "too_many_items")


async def to_the_end(socket: ClientConnection) -> None:
    while True:
        await received(socket)


async def test_a_server_that_stops_sends_its_clients_away(serve: Any):
    third = await serve()
    async with opened(third, jobs="all") as socket:
        await received(socket)
        third.stopping.set()
        with pytest.raises(ConnectionClosed) as caught:
            await to_the_end(socket)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1001
