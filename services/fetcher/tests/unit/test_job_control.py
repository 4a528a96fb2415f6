"""Whether a chunk may still be worked on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from candlelog.clock import ManualClock, SystemClock
from candlelog.events.jobs import JobControlV1
from candlelog.log.memory import MemoryLog
from candlelog.log.publish import Publisher
from fetcher.control import FRESH_SECONDS, Control

TOPIC = "candlelog.jobs.control"
TASK = UUID(int=7)


class Desk:
    """A log, the control that follows it, and a coordinator's pen."""

    def __init__(self, log: MemoryLog, publisher: Publisher) -> None:
        self.log = log
        self.clock = ManualClock(datetime(2024, 1, 1, tzinfo=UTC))
        self.control = Control(log, TOPIC, clock=self.clock)
        self._publisher = publisher

    async def write(
        self,
        job_id: UUID,
        generation: int,
        state: str,
        stopped: tuple[UUID, ...] = (),
        *,
        later: float = FRESH_SECONDS + 0.1,
    ) -> None:
        """A word of the coordinator, so many seconds after what was read up to now."""
        await self._publisher.publish(
            JobControlV1.model_validate(
                {"job_id": job_id, "generation": generation, "state": state, "stopped": stopped}
            )
        )
        self.clock.advance(later)


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    log = MemoryLog()
    async with log.producer() as producer:
        publisher = Publisher(
            producer, source="test", clock=SystemClock(), topic_prefix="candlelog."
        )
        made = Desk(log, publisher)
        running = asyncio.create_task(made.control.run(asyncio.Event()))
        yield made
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_job_nobody_spoke_of_runs(desk: Desk):
    await desk.control.fresh()
    assert desk.control.stopped(uuid4(), TASK, 3) is None


@pytest.mark.parametrize("state", ["paused", "cancelled"])
async def test_a_stopped_job_is_not_worked_on(desk: Desk, state: str):
    job = uuid4()
    await desk.write(job, 2, state)
    await desk.control.fresh()
    assert desk.control.stopped(job, TASK, 2) == "for good"


async def test_chunks_of_an_older_generation_are_superseded(desk: Desk):
    job = uuid4()
    await desk.write(job, 2, "running")
    await desk.control.fresh()
    assert [desk.control.stopped(job, TASK, generation) for generation in (1, 2, 3)] == [
        "for good", None, None,
    ]  # fmt: skip


async def test_the_highest_generation_wins_whatever_came_last(desk: Desk):
    job = uuid4()
    await desk.write(job, 3, "cancelled")
    await desk.write(job, 2, "running")
    await desk.control.fresh()
    assert desk.control.stopped(job, TASK, 3) == "for good"


async def test_a_reading_is_as_old_as_is_asked_for_at_most(desk: Desk):
    await desk.control.fresh()
    job = uuid4()
    await desk.write(job, 0, "running", stopped=(TASK,), later=FRESH_SECONDS / 2)
    assert desk.control.is_fresh
    await desk.control.fresh(desk.clock.monotonic())
    assert desk.control.stopped(job, TASK, 0) == "for now"


async def test_a_reading_is_kept_fresh_while_it_is_in_use(desk: Desk):
    await desk.control.fresh()
    with desk.control.in_use():
        desk.clock.advance(FRESH_SECONDS + 0.1)
        async with asyncio.timeout(60):
            while not desk.control.is_fresh:  # noqa: ASYNC110 -- nobody is told of it
                await asyncio.sleep(0.01)
    assert desk.control.holds(desk.clock.monotonic())


async def test_nothing_is_certain_while_the_log_is_away(desk: Desk):
    await desk.control.fresh()
    desk.log.away = True
    desk.clock.advance(FRESH_SECONDS + 0.1)
    assert not desk.control.is_fresh
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await desk.control.fresh()
    desk.log.away = False
    async with asyncio.timeout(240):
        await desk.control.fresh()


async def test_a_task_is_stopped_and_goes_on_while_its_job_runs(desk: Desk):
    job, other = uuid4(), uuid4()
    await desk.write(job, 1, "running", (TASK,))
    await desk.control.fresh()
    assert desk.control.stopped(job, TASK, 1) == "for now"
    assert desk.control.stopped(job, other, 1) is None
    await desk.write(job, 1, "running")
    await desk.control.fresh()
    assert desk.control.stopped(job, TASK, 1) is None


async def test_a_job_of_which_the_log_has_lost_the_last_word_is_forgotten(desk: Desk):
    job = uuid4()
    await desk.write(job, 1, "cancelled")
    await desk.control.fresh()
    desk.clock.advance(20 * 86_400)
    await desk.write(uuid4(), 0, "running")
    await desk.control.fresh()
    assert desk.control.stopped(job, TASK, 1) is None
