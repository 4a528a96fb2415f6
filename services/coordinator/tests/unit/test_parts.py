"""A chunk that comes in several parts: what it becomes by each of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.events.progress import BatchStoredV1, ChunkFetchedV1, FeaturesStoredV1
from coordinator.domain.delays import LEASES
from coordinator.domain.folding import (
    NOTHING,
    Change,
    Chunk,
    ChunkKey,
    ChunkState,
    change,
    fold,
)
from coordinator.domain.routes import Route

NOW = datetime(2024, 3, 1, tzinfo=UTC)
LEASE_END = NOW + LEASES[Route.ARCHIVE]
FEATURES_BY = NOW + timedelta(hours=1)
WHEN = {"retry_at": NOW + timedelta(seconds=3), "features_by": FEATURES_BY}
KEY = ChunkKey(job_id=UUID(int=3), task_id=UUID(int=1), chunk_id=UUID(int=2))
PARTS = 4


def chunk(state: ChunkState = ChunkState.RELEASED, **fields: bool) -> Chunk:
    awaits = {"awaits_candles": True, "awaits_features": False, **fields}
    due_at = LEASE_END if state is ChunkState.RELEASED else None
    return Chunk(KEY, Route.ARCHIVE, state, 0, 1, 1, due_at, **awaits)


def part(number: int, release: int = 1, *, minutes: int = 0) -> BatchStoredV1:
    """Part `number` of `PARTS`, which explains ten slots more than that; stored after minutes."""
    return BatchStoredV1(
        **KEY._asdict(), generation=0, release=release, part=number, last_part=number == PARTS - 1,
        candles=9, slots_explained=10 + number, quarantined=1, start=NOW, end=LEASE_END,
        stored_at=NOW + timedelta(minutes=minutes),
    )  # fmt: skip


def fetched() -> ChunkFetchedV1:
    return ChunkFetchedV1(
        **KEY._asdict(), generation=0, release=1, candles=36, quarantined=4, parts=PARTS,
        weight=0, fetched_by="f", fetched_at=NOW,
    )  # fmt: skip


def folded(state: Chunk, events: Sequence[BatchStoredV1 | ChunkFetchedV1]) -> tuple[Chunk, Change]:
    counted = NOTHING
    for event in events:
        before, state = state, fold(state, event, **WHEN)
        counted += change(before, state, event)
    return state, counted


def test_candles_are_awaited_until_the_last_part_is_stored():
    parts = [part(number) for number in range(PARTS)]
    assert [folded(chunk(), parts[:n])[0].through for n in range(PARTS + 1)] == [
        False, False, False, False, True,
    ]  # fmt: skip


def test_a_release_of_fewer_parts_than_the_one_before_is_through_with_its_last():
    whole = part(0, release=2).model_copy(update={"last_part": True})
    assert not folded(chunk(), [part(0), part(1)])[0].through
    assert folded(chunk(), [part(0), part(1), whole])[0].through


def test_each_part_counts_as_it_is_stored():
    _, counted = folded(chunk(), [part(0), part(1)])
    assert counted == Change(slots_explained=21, quarantined=2)


readings = st.lists(st.tuples(st.integers(1, 3), st.integers(1, PARTS)), max_size=5)


@given(readings)
def test_a_file_that_is_read_again_from_its_beginning_counts_nothing_twice(
    broken_off: list[tuple[int, int]],
):
    events = [part(n, release) for release, count in broken_off for n in range(count)]
    state, counted = folded(chunk(), [*events, *(part(n, 4) for n in range(PARTS))])
    assert state.through
    assert counted == Change(stored=1, slots_explained=46, quarantined=4)


@given(st.lists(st.integers(0, PARTS - 1), max_size=12))
def test_parts_count_in_order_and_no_other_way(numbers: list[int]):
    state, counted = folded(chunk(), [part(number) for number in numbers])
    expected = 0
    for number in numbers:
        expected += number == expected
    assert (state.parts, state.through) == (expected, expected == PARTS)
    assert counted.quarantined == expected


def test_a_part_begins_the_lease_anew():
    state, _ = folded(chunk(), [part(0, minutes=4)])
    assert state.due_at == LEASE_END + timedelta(minutes=4)


def test_a_part_that_was_stored_before_begins_the_lease_anew_too():
    state, _ = folded(chunk(), [part(0), part(1), part(0, minutes=4)])
    assert (state.parts, state.due_at) == (2, LEASE_END + timedelta(minutes=4))


def test_a_part_never_shortens_a_lease():
    before = chunk()
    assert folded(before, [part(0, minutes=-1)])[0].due_at == LEASE_END


def test_a_part_of_another_release_lends_no_lease():
    state, _ = folded(chunk(), [part(0, 2, minutes=4)])
    assert (state.parts, state.due_at) == (1, LEASE_END)


@pytest.mark.parametrize(
    "state", [ChunkState.FETCHED, ChunkState.HELD, ChunkState.READY, ChunkState.FAILED]
)
def test_a_chunk_without_a_lease_gets_none_by_a_part(state: ChunkState):
    after, _ = folded(chunk(state), [part(0, minutes=4)])
    assert (after.parts, after.state, after.due_at) == (1, state, None)


@pytest.mark.parametrize("last_part", [True, False])
def test_features_of_a_part_end_the_wait_where_it_is_the_last(last_part: bool):
    event = FeaturesStoredV1(
        **KEY._asdict(), generation=0, release=1, part=1, last_part=last_part, features=9,
        stored_at=NOW,
    )  # fmt: skip
    state = fold(chunk(awaits_candles=False, awaits_features=True), event, **WHEN)
    assert state.awaits_features is not last_part


def test_features_are_awaited_from_the_last_part_on():
    state, counted = folded(
        chunk(awaits_features=True), [fetched(), *(part(n) for n in range(PARTS))]
    )
    assert (state.awaits_candles, state.awaits_features, state.due_at) == (
        False, True, FEATURES_BY,
    )  # fmt: skip
    assert counted == Change(slots_explained=46, quarantined=4)
