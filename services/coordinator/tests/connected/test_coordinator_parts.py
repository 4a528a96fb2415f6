"""Chunks that come in several parts."""

from datetime import timedelta

import pytest

from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.progress import BatchStoredV1

pytestmark = pytest.mark.connected


@pytest.fixture
def part(answers):
    """One of the parts of the answer to a request, each of 100 slots; the last has the rest."""

    def make(request: FetchRequestedV1, number: int, *, of: int) -> BatchStoredV1:
        stored = answers(request)[1]
        last = number == of - 1
        slots = request.slots - 100 * number if last else 100
        return stored.model_copy(
            update={"part": number, "last_part": last, "candles": slots, "slots_explained": slots}
        )

    return make


@pytest.fixture
def small(submission):
    """A job of one chunk."""
    return submission(end=submission().start + timedelta(minutes=1000))


async def test_a_job_is_completed_with_the_last_part_of_its_chunk(desk, small, part):
    desk.answer = lambda request: [part(request, n, of=3) for n in range(2)]
    await desk.say(small)
    await desk.finish()
    assert desk.states(small.job_id) == ["queued", "running"]
    (request,) = desk.said(FetchRequestedV1)
    await desk.say(part(request, 2, of=3))
    await desk.finish()
    assert desk.states(small.job_id)[-1] == "completed"


async def test_a_chunk_that_is_given_out_again_counts_its_parts_once(desk, small, part):
    desk.answer = lambda request: [part(request, n, of=3) for n in range(2)]
    await desk.say(small)
    await desk.finish()
    desk.clock.advance(600)
    desk.answer = lambda request: [part(request, n, of=3) for n in range(3)]
    await desk.finish()
    assert [request.release for request in desk.said(FetchRequestedV1)] == [1, 2]
    assert await desk.pool.fetchval("SELECT slots_explained FROM tasks") == 1000
    assert desk.states(small.job_id)[-1] == "completed"


async def test_a_chunk_whose_parts_come_is_not_given_out_again(desk, small, part):
    desk.answer = lambda request: []
    await desk.say(small)
    await desk.finish()
    (request,) = desk.said(FetchRequestedV1)
    for number in range(5):
        desk.clock.advance(50)
        stored_at = {"stored_at": desk.clock.now()}
        await desk.say(part(request, number, of=6).model_copy(update=stored_at))
        await desk.finish()
    assert len(desk.said(FetchRequestedV1)) == 1
    desk.clock.advance(61)
    await desk.finish()
    assert len(desk.said(FetchRequestedV1)) == 2
