"""The projection is a function of the log: batches, interleaving and repetition change nothing."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlelog.events.codec import Message
from candlelog.events.envelope import Envelope
from candlelog.events.feature_sets import FeatureBuildRef, FeatureSetRef
from candlelog.events.jobs import CancelJobV1, ListMarketsV1, ReplayFeaturesV1, SubmitJobV1
from candlelog.events.progress import (
    BatchStoredV1,
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
    ChunkReleasedV1,
    CommandAnsweredV1,
    FeaturesStoredV1,
    JobAcceptedV1,
    JobStateChangedV1,
    ReplayAnsweredV1,
    ReplayPlannedV1,
    TaskPlannedV1,
    TaskStateChangedV1,
)
from candlelog.log.types import Partition, Received, Record
from status_api.adapters.memory import MemoryProjectionStore
from status_api.domain.fold import Landed, fold, keys
from status_api.domain.rows import Rows
from status_api.handlers.landings import Landings
from status_api.handlers.projector import Projector

T0 = datetime(2024, 2, 1, tzinfo=UTC)
SPACE = UUID(int=7)
JOB = uuid5(SPACE, "job")
TASK = uuid5(SPACE, "task")


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def submit(job: UUID = JOB) -> SubmitJobV1:
    return SubmitJobV1(
        job_id=job, exchange="binance", symbols=("BTC/USDT",), timeframes=("1m",), start=T0,
        end=later(60_000), submitted_by="me", submitted_at=later(1), request_digest="d",
    )  # fmt: skip


def of_chunk(chunk: int, job: UUID = JOB, task: UUID = TASK, generation: int = 0, release: int = 1):
    return {
        "job_id": job,
        "task_id": task,
        "chunk_id": uuid5(task, str(chunk)),
        "generation": generation,
        "release": release,
    }


def planned(job: UUID = JOB, task: UUID = TASK, *, features: bool = False) -> TaskPlannedV1:
    return TaskPlannedV1(
        job_id=job, task_id=task, exchange="binance", symbol="BTC/USDT", timeframe="1m", start=T0,
        end=later(60_000), features=features, route_reason="r", chunks_total=2,
        slots_expected=1000, slots_covered=0, planned_at=later(2),
    )  # fmt: skip


def accepted(job: UUID = JOB) -> JobAcceptedV1:
    return JobAcceptedV1(
        job_id=job, tasks_total=1, chunks_total=2, slots_expected=1000, slots_covered=0,
        accepted_at=later(3),
    )  # fmt: skip


def released(chunk: int, attempt: int = 1, route: str = "rest", **which: object) -> ChunkReleasedV1:
    return ChunkReleasedV1(
        **of_chunk(chunk, **which), start=later(chunk * 60), end=later(chunk * 60 + 60), slots=500,
        route=route, attempt=attempt, released_at=later(4),
    )  # fmt: skip


def fetched(chunk: int, **which: object) -> ChunkFetchedV1:
    return ChunkFetchedV1(
        **of_chunk(chunk, **which), candles=500, quarantined=0, parts=1, weight=2, fetched_by="f",
        fetched_at=later(5),
    )  # fmt: skip


def failed(chunk: int, *, transient: bool = False, **which: object) -> ChunkFailedV1:
    return ChunkFailedV1(
        **of_chunk(chunk, **which), code="bad", message="no\0good", transient=transient, attempt=2,
        max_attempts=3, failed_at=later(6),
    )  # fmt: skip


def stored(chunk: int, part: int = 0, *, last: bool = True, **which: object) -> BatchStoredV1:
    return BatchStoredV1(
        **of_chunk(chunk, **which), part=part, last_part=last, candles=499, slots_explained=500,
        quarantined=1, start=T0, end=later(60), stored_at=later(7),
    )  # fmt: skip


def featurized(
    chunk: int, part: int = 0, *, last: bool = True, **which: object
) -> FeaturesStoredV1:
    return FeaturesStoredV1(
        **of_chunk(chunk, **which), part=part, last_part=last, features=997, stored_at=later(8)
    )


def task_state(version: int, state: str, job: UUID = JOB, task: UUID = TASK) -> TaskStateChangedV1:
    return TaskStateChangedV1(
        job_id=job, task_id=task, version=version, state=state, changed_at=later(10 + version)
    )


def job_state(version: int, state: str, job: UUID = JOB) -> JobStateChangedV1:
    return JobStateChangedV1(
        job_id=job, version=version, generation=0, state=state, changed_at=later(10 + version)
    )


def deferred(chunk: int, **which: object) -> ChunkDeferredV1:
    return ChunkDeferredV1(
        **of_chunk(chunk, **which), until=later(9), reason="banned", deferred_at=later(8)
    )


def answer(number: int, job: UUID) -> CommandAnsweredV1:
    return CommandAnsweredV1(
        job_id=job, correlation_id=uuid5(job, str(number)), command="cancel", accepted=True,
        code="accepted", reason="r", answered_at=T0,
    )  # fmt: skip


def rows_of(events: list[Message]) -> Rows:
    """Every event folded at once from nothing."""
    return fold(Rows(), [Landed(event, 0, offset) for offset, event in enumerate(events)])


def test_a_stored_batch_counts_once_however_often_it_is_said():
    rows = rows_of([planned(), stored(1), stored(1), fetched(1), fetched(1), stored(1, release=2)])
    for row in (rows.jobs[JOB], rows.tasks[TASK]):
        assert (row.candles_stored, row.slots_explained, row.quarantined) == (499, 500, 1)
        assert (row.candles_fetched, row.chunks_fetched, row.chunks_done) == (500, 1, 1)


def test_a_chunk_of_several_parts_is_done_with_its_last():
    rows = rows_of([stored(1, 0, last=False), stored(1, 0, last=False), stored(1, 1, last=False)])
    assert (rows.jobs[JOB].chunks_done, rows.jobs[JOB].candles_stored) == (0, 998)
    rows = rows_of([stored(1, 0, last=False), stored(1, 1), stored(1, 1)])
    assert (rows.jobs[JOB].chunks_done, rows.jobs[JOB].candles_stored) == (1, 998)


def test_a_release_of_fewer_parts_than_the_one_before_is_done_with_its_last():
    rows = rows_of([stored(1, 0, last=False), stored(1, 1, last=False), stored(1, 0, release=2)])
    assert rows.jobs[JOB].chunks_done == 1


def test_a_late_failure_undoes_nothing_that_is_stored():
    rows = rows_of([stored(1, release=2), failed(1), failed(1, release=9)])
    assert (rows.jobs[JOB].chunks_failed, rows.jobs[JOB].error_code) == (0, None)


def test_a_failure_of_a_release_that_was_superseded_is_none():
    rows = rows_of([released(1), released(1, release=2), failed(1)])
    assert (rows.jobs[JOB].chunks_failed, rows.jobs[JOB].error_code) == (0, None)


def test_a_failed_chunk_that_is_stored_after_all_has_not_failed():
    rows = rows_of([failed(1), failed(1), stored(1, release=2)])
    assert (rows.jobs[JOB].chunks_failed, rows.jobs[JOB].chunks_done) == (0, 1)


def test_a_failed_chunk_that_is_released_again_has_not_failed_yet():
    rows = rows_of([failed(1), released(1, generation=1)])
    assert rows.jobs[JOB].chunks_failed == 0
    rows = rows_of([failed(1), released(1, generation=1), failed(1), failed(1, generation=1)])
    assert rows.jobs[JOB].chunks_failed == 1


def test_a_transient_failure_is_shown_and_gives_nothing_up():
    rows = rows_of([failed(1, transient=True)])
    job = rows.jobs[JOB]
    assert (job.chunks_failed, job.error_code, job.error_transient, job.attempts) == (
        0, "bad", True, 2,
    )  # fmt: skip


def test_a_chunk_of_a_task_with_features_is_done_when_it_is_stored_and_featurized():
    begun = [planned(features=True), released(1), stored(1)]
    assert rows_of(begun).jobs[JOB].chunks_done == 0
    rows = rows_of([*begun, featurized(1), stored(1), featurized(1, release=2)])
    for row in (rows.jobs[JOB], rows.tasks[TASK]):
        assert (row.chunks_done, row.chunks_stored, row.features_stored) == (1, 1, 997)


def test_a_chunk_that_has_several_parts_waits_for_its_last_also_when_it_is_featurized():
    begun = [planned(features=True), featurized(1), stored(1, 0, last=False)]
    assert rows_of(begun).jobs[JOB].chunks_done == 0
    assert rows_of([*begun, stored(1, 1)]).jobs[JOB].chunks_done == 1


def test_features_of_all_parts_of_a_chunk_are_counted_once():
    begun = [planned(features=True), released(1), stored(1), featurized(1, 0, last=False)]
    assert rows_of(begun).jobs[JOB].chunks_done == 0
    again = [featurized(1, 0, last=False, release=2), featurized(1, 1, release=2)]
    job = rows_of([*begun, *again, *again]).jobs[JOB]
    assert (job.chunks_done, job.features_stored) == (1, 2 * 997)


def test_a_task_without_features_does_not_wait_for_those_its_series_has():
    rows = rows_of([planned(), stored(1), featurized(1)])
    assert (rows.jobs[JOB].chunks_done, rows.jobs[JOB].features_stored) == (1, 997)


def test_a_chunk_for_features_alone_is_done_with_these():
    begun = [planned(features=True), released(7, route="features")]
    assert (rows_of(begun).jobs[JOB].chunks_done, rows_of(begun).jobs[JOB].feature_chunks) == (0, 1)
    task = rows_of([*begun, featurized(7)]).tasks[TASK]
    assert (task.chunks_done, task.chunks_stored, task.features_stored) == (1, 0, 997)
    assert task.current_open_time is None


def replay_planned() -> ReplayPlannedV1:
    return ReplayPlannedV1(
        job_id=JOB, task_id=TASK, exchange="binance", symbol="BTC/USDT", timeframe="1m", start=T0,
        end=later(60_000), feature_set="mine", new=FeatureBuildRef(version=2, build=1),
        old=FeatureBuildRef(version=1, build=0), chunks_total=2, planned_at=later(2),
    )  # fmt: skip


def test_a_replay_is_a_job_whose_tasks_say_what_they_compute_and_compare_with():
    submitted = ReplayFeaturesV1(
        job_id=JOB, exchange="binance", symbols=("BTC/USDT",), timeframes=("1m",),
        feature_set=FeatureSetRef(name="mine", version=2), submitted_by="me",
        submitted_at=later(1), request_digest="d",
    )  # fmt: skip
    begun = [submitted, submitted, replay_planned(), released(7, route="features")]
    rows = rows_of([*begun, featurized(7), featurized(7), replay_planned()])
    submission, task = rows.submissions[JOB], rows.tasks[TASK]
    assert (submission.kind, submission.feature_sets) == ("replay", ("mine/2",))
    assert task.replay == {
        "feature_set": "mine", "version": 2, "build": 1, "old_version": 1, "old_build": 0,
    }  # fmt: skip
    assert (task.chunks_done, task.chunks_total, task.features_stored) == (1, 2, 997)


def test_the_first_answer_about_a_replay_stays():
    answers = [
        ReplayAnsweredV1(
            job_id=JOB, correlation_id=UUID(int=3), action="switch", accepted=accepted, code=code,
            reason="", answered_at=T0,
        )
        for accepted, code in ((True, "accepted"), (False, "already_switched"))
    ]  # fmt: skip
    assert rows_of(answers).answers[UUID(int=3)].accepted


def test_features_that_failed_are_shown_until_they_are_stored_after_all():
    begun = [planned(features=True), stored(1), failed(1)]
    assert rows_of(begun).jobs[JOB].chunks_failed == 1
    after = rows_of([*begun, featurized(1), failed(1)]).jobs[JOB]
    assert (after.chunks_failed, after.chunks_done) == (0, 1)


def test_while_features_are_awaited_another_release_that_fails_changes_nothing():
    begun = [planned(features=True), released(1), released(1, release=2), stored(1)]
    assert rows_of([*begun, failed(1, release=2)]).jobs[JOB].chunks_failed == 0
    again = [*begun, released(1, release=3), failed(1, release=3)]
    assert rows_of(again).jobs[JOB].chunks_failed == 1


def test_text_that_postgres_cannot_hold_is_made_storable():
    assert "\0" not in (rows_of([failed(1)]).jobs[JOB].error_message or "\0")


def test_the_highest_version_of_a_state_wins():
    rows = rows_of([job_state(3, "completed"), job_state(1, "queued"), job_state(2, "running")])
    assert rows.jobs[JOB].state == "completed"
    assert rows.jobs[JOB].completed_at == later(13)


def test_tasks_are_counted_by_their_state():
    events = [task_state(1, "running"), task_state(2, "failed"), task_state(2, "failed")]
    assert (rows_of(events).jobs[JOB].tasks_failed, rows_of(events).jobs[JOB].tasks_done) == (1, 0)
    retried = rows_of([*events, task_state(3, "queued"), task_state(4, "completed")]).jobs[JOB]
    assert (retried.tasks_failed, retried.tasks_done) == (0, 1)


def test_the_first_command_of_a_job_stays():
    other = submit().model_copy(update={"label": "another"})
    rows = rows_of([submit(), other])
    assert rows.submissions[JOB].label is None


def test_the_sets_a_job_asks_for_are_kept_with_their_versions():
    sets = (FeatureSetRef(name="default", version=1), FeatureSetRef(name="mine", version=4))
    asked = submit().model_copy(update={"features": True, "feature_sets": sets})
    assert rows_of([asked]).submissions[JOB].feature_sets == ("default/1", "mine/4")


def test_what_concerns_no_row_is_passed_over():
    rows = rows_of([ListMarketsV1(exchange="binance", requested_at=T0)])
    assert rows == Rows()


def events_of(job: UUID, task: UUID) -> st.SearchStrategy[Message]:
    """Anything that may be said about a job, stale and contradictory things among it."""
    which = st.fixed_dictionaries(
        {
            "generation": st.integers(0, 1),
            "release": st.integers(1, 3),
            "job": st.just(job),
            "task": st.just(task),
        }
    )
    chunk, version = st.integers(0, 4), st.integers(1, 4)
    route = st.sampled_from(["rest", "features"])
    job_states = st.sampled_from(["queued", "running", "completed", "deleted"])
    task_states = st.sampled_from(["running", "failed", "completed"])
    return st.one_of(
        st.sampled_from([planned(job, task), planned(job, task, features=True), accepted(job)]),
        st.builds(lambda c, r, w: released(c, route=r, **w), chunk, route, which),
        st.builds(lambda c, w: fetched(c, **w), chunk, which),
        st.builds(lambda c, w, t: failed(c, transient=t, **w), chunk, which, st.booleans()),
        st.builds(lambda c, w: stored(c, **w), chunk, which),
        st.builds(lambda c, w: featurized(c, **w), chunk, which),
        st.builds(lambda c, w: deferred(c, **w), chunk, which),
        st.builds(lambda v, s: job_state(v, s, job), version, job_states),
        st.builds(lambda v, s: task_state(v, s, job, task), version, task_states),
        st.builds(lambda n: answer(n, job), st.integers(0, 2)),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, list[Message]]]:
    """Some jobs, each with its events in a partition of progress and one of the commands."""
    found: list[tuple[str, list[Message]]] = []
    for number in range(draw(st.integers(1, 3))):
        job, task = uuid5(SPACE, f"job{number}"), uuid5(SPACE, f"task{number}")
        found.append(("progress", draw(st.lists(events_of(job, task), max_size=25))))
        cancel = CancelJobV1(
            job_id=job, correlation_id=uuid5(job, "0"), requested_by="me", requested_at=T0
        )
        found.append(("jobs.commands", [submit(job), cancel, submit(job)]))
    return found


def records(histories: list[tuple[str, list[Message]]]) -> list[list[Received]]:
    """Each history as the records of a partition of its own."""
    return [
        [
            Received(
                Record(Partition(f"x.{topic}", number), offset * 2, b"", b"", (), T0),
                Envelope("i", event.ce_type, "s", T0, "s", "c"),
                event,
            )
            for offset, event in enumerate(events)
        ]
        for number, (topic, events) in enumerate(histories)
    ]


async def projected(partitions: list[list[Received]], random: Random | None) -> object:
    """The tables after reading all partitions: in turn, or interleaved, cut at random and partly
    delivered again.
    """
    store = MemoryProjectionStore()
    projector = Projector(store, Landings())
    if random is None:
        for partition in partitions:
            if partition:
                await projector.handle(partition)
        return store.rows, store.positions
    at = [0] * len(partitions)
    while any(
        position < len(partition) for position, partition in zip(at, partitions, strict=True)
    ):
        batch: list[Received] = []
        for number, partition in enumerate(partitions):
            size = random.randint(0, 7)
            back = random.choice([0, 0, 3])
            batch += partition[max(at[number] - back, 0) : at[number] + size]
            at[number] = min(at[number] + size, len(partition))
        if batch:
            await projector.handle(batch)
    return store.rows, store.positions


@settings(max_examples=80, deadline=None)
@given(histories(), st.integers(0, 2**32))
async def test_tables_depend_on_the_log_alone(
    histories: list[tuple[str, list[Message]]], seed: int
):
    partitions = records(histories)
    assert await projected(partitions, Random(seed)) == await projected(partitions, None)


@settings(max_examples=50, deadline=None)
@given(histories())
async def test_figures_say_what_the_chunks_say(histories: list[tuple[str, list[Message]]]):
    rows, _ = await projected(records(histories), None)
    assert isinstance(rows, Rows)
    for job_id, job in rows.jobs.items():
        if job.state == "deleted":
            continue
        chunks = [chunk for chunk in rows.chunks.values() if chunk.job_id == job_id]
        with_features = any(row.features for row in rows.tasks.values() if row.job_id == job_id)
        done = [chunk.complete if with_features else chunk.stored for chunk in chunks]
        assert job.chunks_done == sum(done)
        assert job.features_stored == 997 * sum(chunk.featurized for chunk in chunks)
        assert job.chunks_failed == sum(chunk.state == "failed" for chunk in chunks)
        assert job.chunks_fetched == sum(chunk.fetched for chunk in chunks)
        assert job.candles_stored == 499 * sum(chunk.stored for chunk in chunks)
        assert not any(
            chunk.state == "failed" and ended for chunk, ended in zip(chunks, done, strict=True)
        )


def test_of_a_deleted_job_nothing_is_folded_any_more():
    before = [
        planned(),
        accepted(),
        released(1),
        job_state(1, "cancelled"),
        job_state(2, "deleted"),
    ]
    rows = rows_of([*before, stored(1), featurized(1), task_state(1, "completed")])
    assert rows == rows_of(before)


@given(st.data())
def test_what_is_done_depends_neither_on_order_nor_on_repetition(data: st.DataObject):
    """A chunk of each kind there is, in a task with and in one without features."""
    features = data.draw(st.booleans())
    said = [
        planned(features=features), accepted(),
        released(1), fetched(1), stored(1), featurized(1),
        released(2), fetched(2), stored(2),
        released(3), featurized(3),
        released(4, route="features"), featurized(4), released(5, route="features"),
    ]  # fmt: skip
    again = data.draw(st.lists(st.sampled_from(said)))
    rows = rows_of(data.draw(st.permutations(said + again)))
    for row in (rows.jobs[JOB], rows.tasks[TASK]):
        assert row.chunks_done == 2
        assert (row.chunks_stored, row.chunks_featurized, row.feature_chunks) == (2, 2, 2)
        assert (row.candles_stored, row.features_stored) == (2 * 499, 3 * 997)


def test_only_the_rows_of_the_events_are_loaded():
    found = keys(
        [Landed(stored(1), 0, 0), Landed(submit(), 0, 1), Landed(job_state(1, "queued"), 0, 2)]
    )
    assert found.jobs == {JOB}
    assert found.tasks == {TASK}
    assert found.chunks == {uuid5(TASK, "1")}


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
def test_an_end_has_its_time_and_a_retry_has_none(state: str):
    ended = rows_of([job_state(1, "running"), job_state(2, state)])
    assert ended.jobs[JOB].completed_at == later(12)
    again = rows_of([job_state(1, "running"), job_state(2, state), job_state(3, "queued")])
    assert again.jobs[JOB].completed_at is None
    assert again.jobs[JOB].started_at == later(11)
