"""What a chunk becomes by what is said about it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from candlelog.events.progress import (
    BatchStoredV1,
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
)
from coordinator.domain.folding import (
    Chunk,
    ChunkEvent,
    ChunkKey,
    ChunkState,
    Stored,
    fold,
)

NOW = datetime(2024, 3, 1, tzinfo=UTC)
RETRY_AT = NOW + timedelta(seconds=3)
LEASE_END = NOW + timedelta(seconds=60)
KEY = ChunkKey(job_id=UUID(int=3), task_id=UUID(int=1), chunk_id=UUID(int=2))


def chunk(state: ChunkState = ChunkState.RELEASED, release: int = 1, attempt: int = 1) -> Chunk:
    return Chunk(KEY, state, 0, release, attempt, LEASE_END)


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


def after(before: Chunk, event: ChunkEvent) -> tuple[ChunkState, int, datetime | None]:
    found = fold(before, event, RETRY_AT)
    assert isinstance(found, Chunk)
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
        assert fold(before, event, RETRY_AT) is before


@given(
    st.lists(st.sampled_from([fetched(), deferred(), failed(), failed(attempt=3), fetched(2)])),
    st.integers(1, 4),
)
def test_a_stored_batch_is_final_whatever_was_said_before_and_whoever_brought_it(
    events: list[ChunkEvent], release: int
):
    state: Chunk | Stored = chunk()
    for event in events:
        assert isinstance(state, Chunk)
        state = fold(state, event, RETRY_AT)
    assert isinstance(state, Chunk)
    assert fold(state, stored(release), RETRY_AT) == Stored(slots_explained=9, quarantined=1)


@given(st.lists(st.sampled_from([fetched(), deferred(), failed(), failed(transient=False)])))
def test_the_same_words_said_twice_are_said_once(events: list[ChunkEvent]):
    once: Chunk | Stored = chunk()
    twice: Chunk | Stored = chunk()
    for event in events:
        assert isinstance(once, Chunk)
        assert isinstance(twice, Chunk)
        once = fold(once, event, RETRY_AT)
        for _ in range(2):
            assert isinstance(twice, Chunk)
            twice = fold(twice, event, RETRY_AT)
    assert once == twice
