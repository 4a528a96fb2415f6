"""What a batch of progress says of tasks, in whatever order it comes."""

from datetime import UTC, datetime
from itertools import permutations
from uuid import UUID

from candlelog.events.progress import (
    BatchStoredV1,
    ChunkReleasedV1,
    JobStateChangedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)
from candlelog.market.series import Series
from gap_auditor.domain.tasks import State, Task, concerns_audits, read

JOB, TASK, CHUNK = UUID(int=1), UUID(int=2), UUID(int=3)
NOW = datetime(2024, 2, 1, tzinfo=UTC)
END = datetime(2024, 2, 2, tzinfo=UTC)
OF_CHUNK = {"job_id": JOB, "task_id": TASK, "chunk_id": CHUNK, "generation": 0, "release": 1}


def task(version: int, state: str) -> TaskStateChangedV1:
    return TaskStateChangedV1(
        job_id=JOB, task_id=TASK, version=version, state=state, changed_at=NOW
    )


def job(version: int, state: str) -> JobStateChangedV1:
    return JobStateChangedV1(job_id=JOB, version=version, generation=0, state=state, changed_at=NOW)


def test_a_task_is_what_it_was_planned_as():
    planned = TaskPlannedV1(
        job_id=JOB, task_id=TASK, exchange="binance", symbol="BTC/USDT", timeframe="1m", start=NOW,
        end=END, route_reason="r", chunks_total=2, slots_expected=1440, slots_covered=0,
        planned_at=NOW,
    )  # fmt: skip
    series = Series("binance", "BTC/USDT", "1m")
    assert read([planned]).planned == {TASK: Task(TASK, JOB, series, NOW, END)}


def test_the_newest_state_counts_in_whatever_order_they_come():
    for states in permutations([task(1, "running"), task(2, "failed"), task(3, "queued")]):
        news = read(states)
        assert news.tasks == {TASK: State(3, ended=False)}
        assert news.stirred_tasks == set()


def test_every_way_to_end_is_an_end():
    for state in ("completed", "completed_with_errors", "failed", "cancelled"):
        news = read([task(2, state), job(3, state)])
        assert (news.stirred_tasks, news.ended_jobs) == ({TASK}, {JOB})


def test_a_batch_that_was_stored_stirs_its_task():
    stored = BatchStoredV1(
        **OF_CHUNK, part=0, last_part=True, candles=1, slots_explained=1, quarantined=0, start=NOW,
        end=END, stored_at=NOW,
    )  # fmt: skip
    assert read([stored]).stirred_tasks == {TASK}


def test_the_release_of_a_chunk_concerns_no_audit():
    released = ChunkReleasedV1(**OF_CHUNK, start=NOW, end=END, slots=1, attempt=1, released_at=NOW)
    assert not concerns_audits(released)
    assert concerns_audits(task(1, "running"))
