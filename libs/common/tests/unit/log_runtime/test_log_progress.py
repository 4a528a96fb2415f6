"""How far a partition may be committed."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from candlelog.log.progress import Progress
from candlelog.log.types import Partition, Record

P, Q = Partition("topic", 0), Partition("topic", 1)


def record(partition, offset):
    return Record(partition, offset, b"k", b"v", (), datetime(2024, 1, 1, tzinfo=UTC))


def records(partition, *offsets):
    return [record(partition, offset) for offset in offsets]


def test_nothing_done_is_nothing_to_commit():
    progress = Progress()
    progress.take(records(P, 0, 1))
    assert progress.positions() == {}


def test_a_hole_holds_the_position_until_it_is_done():
    progress = Progress()
    progress.take(records(P, 4, 5, 6))
    progress.finish(records(P, 6, 5))
    assert progress.positions() == {}
    progress.finish(records(P, 4))
    assert progress.positions() == {P: 7}


def test_offsets_that_never_came_hold_nothing():
    progress = Progress()
    progress.take(records(P, 4, 9))
    progress.finish(records(P, 4, 9))
    assert progress.positions() == {P: 10}


def test_partitions_are_apart():
    progress = Progress()
    progress.take(records(P, 0, 1) + records(Q, 0))
    progress.finish(records(P, 1) + records(Q, 0))
    assert progress.positions() == {Q: 1}


def test_a_committed_position_is_not_committed_again():
    progress = Progress()
    progress.take(records(P, 0, 1))
    progress.finish(records(P, 0))
    progress.committed({P: 1})
    assert progress.positions() == {}
    progress.finish(records(P, 1))
    assert progress.positions() == {P: 2}


def test_what_is_done_during_a_commit_is_not_forgotten():
    progress = Progress()
    progress.take(records(P, 0, 1))
    progress.finish(records(P, 0))
    committing = progress.positions()
    progress.finish(records(P, 1))
    progress.committed(committing)
    assert progress.positions() == {P: 2}


def test_after_a_rebalance_nothing_of_before_counts():
    progress = Progress()
    progress.take(records(P, 0, 1))
    progress.finish(records(P, 0))
    progress.forget()
    assert progress.positions() == {}
    progress.take(records(P, 0, 1))
    progress.finish(records(P, 1))
    assert progress.positions() == {}


@given(st.data())
def test_a_position_never_passes_a_record_that_is_not_done(data):
    offsets = data.draw(st.lists(st.integers(0, 10**6), unique=True, min_size=1).map(sorted))
    order = data.draw(st.permutations(offsets))
    progress = Progress()
    progress.take(records(P, *offsets))
    done = set()
    for offset in order:
        progress.finish(records(P, offset))
        done.add(offset)
        waiting = [other for other in offsets if other not in done]
        position = progress.positions().get(P, 0)
        below = [other for other in offsets if not waiting or other < waiting[0]]
        assert position == (below[-1] + 1 if below else 0)
