"""The projection is what the log says, whoever folded it and however often."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from candlelog.events.codec import Message
from candlelog.events.feature_sets import DEFAULT, FeatureBuildRef
from candlelog.events.gaps import GapChangedV1, GapClosedV1
from candlelog.events.jobs import (
    FillGapsV1,
    GapToFill,
    ReplayCandlesV1,
    ReplayFeaturesV1,
    SubmitJobV1,
)
from candlelog.events.progress import (
    BatchStoredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
    ChunkReleasedV1,
    CommandAnsweredV1,
    FeaturesStoredV1,
    JobAcceptedV1,
    JobStateChangedV1,
    MissingPeriod,
    ReplayAnsweredV1,
    ReplayPlannedV1,
    TaskAuditedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)
from candlelog.events.rebuild import PartRebuiltV1, ShadowChangedV1
from candlelog.log.types import Outgoing
from status_api.adapters.projection_store import PostgresProjectionStore

pytestmark = pytest.mark.connected

T0 = datetime(2024, 2, 1, tzinfo=UTC)
GARBAGE = b"\xff"
TABLES = (
    "consumed_offsets", "submissions", "jobs", "tasks", "chunks", "answers", "gaps", "gap_fills",
    "shadows",
)  # fmt: skip
TOPICS = ("jobs.commands", "progress", "gaps")


def story(random: Random) -> list[Message]:
    """A job with repeated, stale and contradictory events, in no sensible order."""
    job = uuid4()
    tasks = [uuid5(job, str(number)) for number in range(3)]
    found: list[Message] = [
        SubmitJobV1(
            job_id=job, exchange="binance", symbols=("BTC/USDT", "ETH/USDT"), timeframes=("1m",),
            start=T0, end=T0 + timedelta(days=1), submitted_by="t", submitted_at=datetime.now(UTC),
            label='a "quoted", {label}', features=True, feature_sets=(DEFAULT,),
        ),
        JobAcceptedV1(
            job_id=job, tasks_total=3, chunks_total=30, slots_expected=30_000, slots_covered=0,
            accepted_at=T0,
        ),
        *(_planned(job, task, features=random.random() < 0.7) for task in tasks),
        _job_state(job, 1, "queued"),
        _job_state(job, 2, "running"),
    ]  # fmt: skip
    if random.random() < 0.3:
        found.append(_job_state(job, 3, "deleted"))
    found += [_of_chunk(random, job, random.choice(tasks)) for _ in range(120)]
    found += [
        TaskStateChangedV1(job_id=job, task_id=task, version=1, state="completed", changed_at=T0)
        for task in tasks
    ]
    found.append(
        CommandAnsweredV1(
            job_id=job, correlation_id=uuid5(job, "c"), command="cancel", accepted=False,
            code="invalid_transition", reason="no\0", answered_at=T0,
        )
    )  # fmt: skip
    found += [
        ReplayFeaturesV1(
            job_id=uuid5(job, "replay"), exchange="binance", symbols=("BTC/USDT",),
            timeframes=("1m",), feature_set=DEFAULT, submitted_by="t", submitted_at=T0,
        ),
        ReplayPlannedV1(
            job_id=uuid5(job, "replay"), task_id=uuid5(job, "replayed"), exchange="binance",
            symbol="BTC/USDT", timeframe="1m", start=T0, end=T0 + timedelta(days=1),
            feature_set="default", new=FeatureBuildRef(version=1, build=1),
            old=FeatureBuildRef(version=1, build=0), chunks_total=1, planned_at=T0,
        ),
        ReplayAnsweredV1(
            job_id=uuid5(job, "replay"), correlation_id=uuid5(job, "r"), action="switch",
            accepted=True, code="accepted", reason="", answered_at=T0,
        ),
    ]  # fmt: skip
    found.append(ReplayCandlesV1(job_id=uuid5(job, "candles"), submitted_by="t", submitted_at=T0))
    found += [_of_shadow(random, uuid5(job, "candles")) for _ in range(12)]
    found += [_audited(random, job, random.choice(tasks)) for _ in range(6)]
    found += [_of_gap(random, job) for _ in range(12)]
    found += [
        FillGapsV1(
            job_id=uuid5(job, "repair"), exchange="binance", submitted_by="t", submitted_at=T0,
            gaps=[
                GapToFill(gap_id=uuid5(job, str(number)), symbol="BTC/USDT", timeframe="1m",
                          start=T0, end=T0 + timedelta(minutes=1))
                for number in range(3)
            ],
        )
    ]  # fmt: skip
    random.shuffle(found)
    return found + random.sample(found, 20)


def _of_shadow(random: Random, job: UUID) -> ShadowChangedV1 | PartRebuiltV1:
    if random.random() < 0.3:
        step = random.choice(("open", "switch", "switch_back", "close"))
        return ShadowChangedV1(job_id=job, step=step, correlation_id=uuid4(), changed_at=T0)
    return PartRebuiltV1(
        job_id=job, origin=random.choice(("log", "store")), partition=random.randrange(3),
        done=random.randrange(4), total=3, rows=7, rebuilt_at=T0,
    )  # fmt: skip


def _planned(job: UUID, task: UUID, *, features: bool) -> TaskPlannedV1:
    return TaskPlannedV1(
        job_id=job, task_id=task, exchange="binance", symbol="BTC/USDT", timeframe="1m", start=T0,
        end=T0 + timedelta(days=1), route_reason="r", chunks_total=10, slots_expected=10_000,
        slots_covered=0, planned_at=T0, features=features,
    )  # fmt: skip


def _job_state(job: UUID, version: int, state: str) -> JobStateChangedV1:
    return JobStateChangedV1(
        job_id=job, version=version, generation=0, state=state,
        changed_at=T0 + timedelta(seconds=version),
    )  # fmt: skip


def _of_chunk(random: Random, job: UUID, task: UUID) -> Message:
    which = {
        "job_id": job, "task_id": task, "chunk_id": uuid5(task, str(random.randint(0, 9))),
        "generation": random.randint(0, 1), "release": random.randint(1, 3),
    }  # fmt: skip
    start = T0 + timedelta(minutes=random.randint(0, 1000))
    return random.choice(
        [
            ChunkReleasedV1(
                **which, start=start, end=T0 + timedelta(days=1), slots=1, attempt=1,
                released_at=T0, route=random.choice(["rest", "rest", "features"]),
            ),
            ChunkFetchedV1(
                **which, candles=9, quarantined=0, parts=1, weight=2, fetched_by="f",
                fetched_at=T0,
            ),
            ChunkFailedV1(
                **which, code="bad", message="m", transient=random.random() < 0.5, attempt=1,
                max_attempts=3, failed_at=T0,
            ),
            BatchStoredV1(
                **which, part=0, last_part=True, candles=1000, slots_explained=1000,
                quarantined=0, start=T0, end=T0 + timedelta(days=1), stored_at=T0,
            ),
            FeaturesStoredV1(**which, features=1000, stored_at=T0),
        ]
    )  # fmt: skip


def _audited(random: Random, job: UUID, task: UUID) -> TaskAuditedV1:
    unknown = random.randint(0, 2)
    period = MissingPeriod(start=T0, end=T0 + timedelta(minutes=1))
    return TaskAuditedV1(
        job_id=job, task_id=task, slots_expected=1440, slots_explained=1440 - unknown,
        slots_unknown=unknown, missing=(period,) * unknown, audited_at=T0,
    )  # fmt: skip


def _of_gap(random: Random, job: UUID) -> Message:
    version = random.randint(1, 4)
    kind = GapChangedV1 if version < 4 else GapClosedV1
    return kind(
        gap_id=uuid5(job, str(random.randint(0, 2))), version=version, exchange="binance",
        symbol="BTC/USDT", timeframe="1m", start=T0, end=T0 + timedelta(minutes=version),
        slots=version, state="failed" if version < 4 else "filled", detected_at=T0, changed_at=T0,
    )  # fmt: skip


OF_DELETED = "SELECT job_id FROM jobs WHERE state = 'deleted'"
"""Rows of these are dropped by and by."""


async def tables(pool: Any) -> dict[str, Any]:
    kept = dict.fromkeys(("tasks", "chunks"), f"WHERE job_id NOT IN ({OF_DELETED})")
    return {
        name: await pool.fetch(f"SELECT * FROM {name} {kept.get(name, '')} ORDER BY 1, 2")
        for name in TABLES
    }


async def ends(served: Any) -> dict[tuple[str, int], int]:
    """Behind the last event of every partition."""
    topics = [f"{served.prefix}{name}" for name in TOPICS]
    found: dict[tuple[str, int], int] = {}
    async with served.log.tail(topics, start="beginning") as tail:
        last = await tail.end()
        while any(at < last[each] for each, at in (await tail.positions()).items()):
            for record in await tail.poll(max_records=500, timeout=1):
                if record.value != GARBAGE:
                    found[tuple(record.partition)] = record.offset + 1
    return found


async def folded(served: Any, wanted: dict[tuple[str, int], int]) -> dict[str, Any]:
    """The tables once everything below `wanted` is folded."""

    async def look() -> bool:
        rows = await served.pool.fetch("SELECT topic, partition, next_offset FROM consumed_offsets")
        return {(row[0], row[1]): row[2] for row in rows} == wanted

    await served.folds.until(look)
    return await tables(served.pool)


async def test_replaying_the_log_into_an_empty_projection_gives_equal_tables(
    project_alone: Any, postgres_dsn: str
):
    first = await project_alone()
    random = Random(11)
    stories = [story(random) for _ in range(8)]
    messages = [first.publisher.outgoing(event) for each in stories for event in each]
    garbage = Outgoing(f"{first.prefix}progress", b"k", GARBAGE, ())
    for at in range(0, len(messages), 97):
        await first.publisher.send([*messages[at : at + 97], garbage])
        if at == 97 * 3:
            await project_alone()  # a rebalance in the middle
    wanted = await ends(first)
    live = await folded(first, wanted)
    again = await project_alone(postgres_dsn)
    assert await folded(again, wanted) == live
    assert len(live["submissions"]) == 4 * len(stories), "a job, a repair and two replays each"
    assert sum(row["replay"] is not None for row in live["tasks"]) == len(stories)
    assert len(live["chunks"]) > 100
    assert any(row["features_stored"] for row in live["tasks"])
    assert any(row["missing"] for row in live["tasks"])
    assert {row["state"] for row in live["gaps"]} == {"failed", "filled"}
    assert len(live["gap_fills"]) == 3 * len(stories)
    deleted = {row["job_id"] for row in live["jobs"] if row["state"] == "deleted"}
    assert 0 < len(deleted) < len(stories)
    while await PostgresProjectionStore(first.pool).drop_deleted():
        pass
    for table in ("tasks", "chunks"):
        left = f"SELECT count(*) FROM {table} WHERE job_id IN ({OF_DELETED})"
        assert await first.pool.fetchval(left) == 0
    assert await tables(first.pool) == live, "of the other jobs nothing is dropped"
