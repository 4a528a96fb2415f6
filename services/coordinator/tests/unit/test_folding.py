"""What a chunk becomes by what is said about it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from candlelog.events.progress import (
    BatchStoredV1,
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
    FeaturesStoredV1,
)
from coordinator.domain.folding import (
    NOTHING,
    Change,
    Chunk,
    ChunkEvent,
    ChunkKey,
    ChunkState,
    change,
    fold,
)
from coordinator.domain.routes import Route

NOW = datetime(2024, 3, 1, tzinfo=UTC)
RETRY_AT = NOW + timedelta(seconds=3)
FEATURES_BY = RETRY_AT + timedelta(minutes=4)
WHEN = {"retry_at": RETRY_AT, "features_by": FEATURES_BY}
LEASE_END = NOW + timedelta(seconds=60)
KEY = ChunkKey(job_id=UUID(int=3), task_id=UUID(int=1), chunk_id=UUID(int=2))


def chunk(
    state: ChunkState = ChunkState.RELEASED, release: int = 1, attempt: int = 1, **fields: bool
) -> Chunk:
    """A fetch chunk without feature sets, but for what is said otherwise."""
    awaits = {"awaits_candles": True, "awaits_features": False, **fields}
    return Chunk(KEY, Route.REST, state, 0, release, attempt, LEASE_END, **awaits)


def with_features() -> Chunk:
    return chunk(awaits_features=True)


def feature_chunk() -> Chunk:
    return Chunk(
        KEY, Route.FEATURES, ChunkState.RELEASED, 0, 1, 1, LEASE_END,
        awaits_candles=False, awaits_features=True,
    )  # fmt: skip


def named(release: int = 1, generation: int = 0) -> dict[str, object]:
    return KEY._asdict() | {"generation": generation, "release": release}


def fetched(release: int = 1) -> ChunkFetchedV1:
    return ChunkFetchedV1.model_validate(
        named(release)
        | {"candles": 9, "quarantined": 0, "parts": 1, "weight": 2, "fetched_by": "f",
           "fetched_at": NOW}
    )  # fmt: skip


def deferred(release: int = 1) -> ChunkDeferredV1:
    return ChunkDeferredV1.model_validate(
        named(release) | {"until": NOW + timedelta(hours=1), "reason": "ban", "deferred_at": NOW}
    )


def failed(release: int = 1, *, attempt: int = 1, transient: bool = True) -> ChunkFailedV1:
    return ChunkFailedV1.model_validate(
        named(release)
        | {"code": "c", "message": "m", "transient": transient, "attempt": attempt,
           "max_attempts": 3, "failed_at": NOW}
    )  # fmt: skip


def stored(release: int = 1) -> BatchStoredV1:
    return BatchStoredV1.model_validate(
        named(release)
        | {"part": 0, "last_part": True, "candles": 9, "slots_explained": 9, "quarantined": 1,
           "start": NOW, "end": LEASE_END, "stored_at": NOW}
    )  # fmt: skip


def features(release: int = 1) -> FeaturesStoredV1:
    return FeaturesStoredV1.model_validate(named(release) | {"features": 9, "stored_at": NOW})


def folded(state: Chunk, events: Iterable[ChunkEvent]) -> tuple[Chunk, Change]:
    """The chunk after all the events, and what its task counts by them."""
    counted = NOTHING
    for event in events:
        before, state = state, fold(state, event, **WHEN)
        counted += change(before, state, event)
    return state, counted


def after(before: Chunk, event: ChunkEvent) -> tuple[ChunkState, int, datetime | None]:
    found = fold(before, event, **WHEN)
    return found.state, found.attempt, found.due_at


def test_a_fetched_chunk_has_no_lease():
    assert after(chunk(), fetched()) == (ChunkState.FETCHED, 1, None)


def test_a_deferred_chunk_waits_until_then_and_keeps_its_attempt():
    assert after(chunk(), deferred()) == (ChunkState.WAITING, 1, NOW + timedelta(hours=1))


def test_a_failure_in_passing_uses_up_an_attempt():
    assert after(chunk(), failed()) == (ChunkState.WAITING, 2, RETRY_AT)


def test_the_last_attempt_and_a_permanent_failure_are_final():
    assert after(chunk(attempt=3), failed(attempt=3))[0] is ChunkState.FAILED
    assert after(chunk(), failed(transient=False))[0] is ChunkState.FAILED


def test_a_fetched_chunk_fails_when_the_sink_refuses_its_batch():
    assert after(chunk(ChunkState.FETCHED), failed(transient=False))[0] is ChunkState.FAILED


def test_a_fetched_chunk_is_not_put_off():
    assert after(chunk(ChunkState.FETCHED), deferred())[0] is ChunkState.FETCHED


def test_words_about_an_older_release_change_nothing():
    before = chunk(release=2)
    for event in (fetched(1), deferred(1), failed(1), failed(1, transient=False)):
        assert fold(before, event, **WHEN) is before


words = st.lists(
    st.sampled_from(
        [fetched(), deferred(), failed(), failed(attempt=3), failed(transient=False), fetched(2)]
    )
)


@given(words, st.integers(1, 4), words)
def test_a_stored_batch_is_final_whatever_is_said_and_whoever_brought_it(
    before: list[ChunkEvent], release: int, after_it: list[ChunkEvent]
):
    state, counted = folded(chunk(), [*before, stored(release), *after_it])
    assert state.through
    assert counted == Change(stored=1, slots_explained=9, quarantined=1)


@given(words)
def test_the_same_words_said_twice_are_said_once(events: list[ChunkEvent]):
    once, counted_once = folded(chunk(), events)
    twice, counted_twice = folded(chunk(), [event for event in events for _ in range(2)])
    assert (once, counted_once) == (twice, counted_twice)


def test_a_chunk_is_counted_as_failed_once():
    _, counted = folded(chunk(), [failed(transient=False)] * 2)
    assert counted == Change(failed=1)


def test_candles_without_their_features_are_not_all_of_a_chunk():
    state, counted = folded(with_features(), [fetched(), stored()])
    assert not state.through
    assert state.due_at == FEATURES_BY
    assert counted == Change(slots_explained=9, quarantined=1)


@given(
    st.permutations([fetched(), stored(), stored(), features(), features(), deferred(), failed()]),
    words,
)
def test_candles_and_features_end_a_chunk_in_any_order_and_however_often(
    events: list[ChunkEvent], after_them: list[ChunkEvent]
):
    state, counted = folded(with_features(), [*events, *after_them])
    assert state.through
    assert counted == Change(stored=1, slots_explained=9, quarantined=1)


@given(st.lists(st.sampled_from([stored(), stored(2), features(), features(2), failed()])))
def test_a_chunk_ends_with_both_and_not_before(events: list[ChunkEvent]):
    state, counted = folded(with_features(), events)
    kinds = {type(event) for event in events}
    assert state.through == ({BatchStoredV1, FeaturesStoredV1} <= kinds)
    assert counted.slots_explained == (9 if BatchStoredV1 in kinds else 0)


def test_features_that_fail_for_good_fail_the_chunk_whose_candles_are_stored():
    state, counted = folded(with_features(), [fetched(), stored(), failed(transient=False)])
    assert state.failed
    assert counted == Change(failed=1, slots_explained=9, quarantined=1)


def test_once_candles_are_stored_the_failure_of_another_release_is_late():
    waiting, _ = folded(chunk(release=2, awaits_features=True), [stored(release=1)])
    assert fold(waiting, failed(release=2, transient=False), **WHEN) is waiting
    assert fold(waiting, failed(release=1, transient=False), **WHEN).failed


def test_once_candles_are_stored_nothing_asks_for_them_again():
    waiting, _ = folded(with_features(), [fetched(), stored()])
    for event in (fetched(), deferred(), failed()):
        assert fold(waiting, event, **WHEN) is waiting


@given(words, st.integers(1, 4), words)
def test_a_feature_chunk_ends_with_its_features_alone(
    before: list[ChunkEvent], release: int, after_it: list[ChunkEvent]
):
    state, counted = folded(feature_chunk(), [*before, features(release), *after_it])
    assert state.through
    assert counted == Change(stored=1)


def test_a_feature_chunk_keeps_its_lease_whatever_is_said_of_fetching():
    before = feature_chunk()
    for event in (fetched(), deferred(), failed(), stored()):
        assert fold(before, event, **WHEN) is before


def test_a_feature_chunk_can_fail_for_good():
    state, counted = folded(feature_chunk(), [failed(transient=False)])
    assert state.failed
    assert state.due_at is None
    assert counted == Change(failed=1)
