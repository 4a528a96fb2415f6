"""What an auditor makes of tasks that end and of repairs, on a real Postgres."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from candlelog.errors import Unavailable
from candlelog.events.gaps import GapChangedV1, GapClosedV1, GapOpenedV1
from candlelog.events.progress import TaskAuditedV1
from candlelog.log.partitioner import partition_of
from candlelog.market.series import Series
from candlelog.market.slots import SlotState

pytestmark = pytest.mark.connected

BTC = Series("binance", "BTC/USDT", "1m")
ETH = Series("binance", "ETH/USDT", "1m")
PRESENT = SlotState.PRESENT
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
    AND datname = current_database()
"""


async def test_a_task_that_ended_is_audited(desk, slots, job, in_minutes):
    slots.learn(BTC, in_minutes(2, 8), PRESENT)
    one = job(0, 10)
    await desk.hear(*one.planned(), *one.tasks())
    (audited,) = desk.said(TaskAuditedV1)
    assert (audited.job_id, audited.task_id) == (one.job_id, one.task_id(BTC))
    assert (audited.slots_expected, audited.slots_explained, audited.slots_unknown) == (10, 6, 4)
    assert [(p.start.minute, p.end.minute) for p in audited.missing] == [(0, 2), (8, 10)]
    assert desk.told() == [(0, 2, "detected"), (8, 10, "detected")]
    assert {(type(e), e.version, e.slots) for e in desk.of_gaps()} == {(GapOpenedV1, 1, 2)}


async def test_nothing_is_audited_before_a_task_has_ended(desk, job):
    one = job(0, 10)
    await desk.hear(*one.planned(), *one.tasks("running", 1), one.stored())
    assert desk.said(TaskAuditedV1) == []
    await desk.hear(*one.tasks("cancelled"))
    assert len(desk.said(TaskAuditedV1)) == 1


async def test_a_task_without_a_slot_is_complete(desk, job):
    one = job(3, 3)
    await desk.hear(*one.planned(), *one.tasks())
    (audited,) = desk.said(TaskAuditedV1)
    assert (audited.slots_expected, audited.slots_unknown, audited.missing) == (0, 0, ())


async def test_a_task_nobody_planned_is_passed_over(desk, job):
    one = job(0, 10)
    await desk.hear(*one.tasks(), one.stored(), one.ended())
    assert desk.said(TaskAuditedV1) == []


async def test_of_many_periods_that_are_missing_the_first_hundred_are_told(desk, slots, job):
    slots.known[BTC] = {}
    one = job(0, 300)
    for minute in range(1, 300, 2):
        slots.known[BTC][1_706_745_600_000 + 60_000 * minute] = PRESENT
    await desk.hear(*one.planned(), *one.tasks())
    (audited,) = desk.said(TaskAuditedV1)
    assert (len(audited.missing), audited.slots_unknown) == (100, 150)
    assert len(desk.said(GapOpenedV1)) == 150


async def test_candles_stored_after_the_end_of_a_task_have_it_audited_again(
    desk, slots, job, in_minutes
):
    one = job(0, 10)
    await desk.hear(*one.planned(), *one.tasks("cancelled"))
    slots.learn(BTC, in_minutes(0, 10), PRESENT)
    await desk.hear(one.stored())
    assert [e.slots_unknown for e in desk.said(TaskAuditedV1)] == [10, 0]
    assert desk.told() == [(0, 10, "detected"), (0, 10, "filled")]
    assert await desk.open_gaps() == []


async def test_another_job_over_a_part_of_a_gap_leaves_the_rest_open(desk, slots, job, in_minutes):
    one, other = job(0, 10), job(4, 20)
    await desk.hear(*one.planned(), *one.tasks("failed"))
    slots.learn(BTC, in_minutes(4, 20), PRESENT)
    await desk.hear(*other.planned(), *other.tasks())
    assert await desk.open_gaps() == [(0, 4, "detected")]
    assert [e.version for e in desk.of_gaps()] == [1, 2]


async def test_a_gap_is_filling_from_when_its_repair_is_asked_for(desk, job):
    one, repair = job(0, 10), job(0, 10)
    await desk.hear(*one.planned(), *one.tasks("failed"))
    await desk.hear(repair.fill((0, 10)))
    (changed,) = desk.said(GapChangedV1)
    assert (changed.state, changed.job_id) == ("filling", repair.job_id)


async def test_a_gap_that_its_repair_fills_is_filled(desk, slots, job, in_minutes):
    one, repair = job(0, 10), job(0, 10)
    await desk.hear(*one.planned(), *one.tasks("failed"))
    await desk.hear(repair.fill((0, 10)))
    slots.learn(BTC, in_minutes(0, 10), PRESENT)
    await desk.hear(*repair.planned(), *repair.tasks(), repair.ended())
    assert desk.told() == [(0, 10, "detected"), (0, 10, "filling"), (0, 10, "filled")]
    (closed,) = desk.said(GapClosedV1)
    assert (closed.version, closed.job_id) == (3, repair.job_id)


async def test_a_gap_that_its_repair_leaves_is_failed_or_unfillable(desk, slots, job, in_minutes):
    one, repair = job(0, 10), job(0, 10)
    slots.learn(BTC, in_minutes(4, 6), PRESENT)
    await desk.hear(*one.planned(), *one.tasks("failed"))
    await desk.hear(repair.fill((0, 4), (6, 10)))
    slots.refuse(BTC, in_minutes(6, 10))
    await desk.hear(*repair.planned(), *repair.tasks("completed_with_errors"), repair.ended())
    assert await desk.open_gaps() == [(0, 4, "failed"), (6, 10, "unfillable")]


async def test_a_repair_that_never_had_a_task_leaves_its_gaps_failed(desk, job):
    one, repair = job(0, 10), job(0, 10)
    await desk.hear(*one.planned(), *one.tasks("failed"))
    await desk.hear(repair.fill((0, 10)))
    await desk.hear(repair.ended("failed", 1))
    assert await desk.open_gaps() == [(0, 10, "failed")]


async def test_a_repair_that_is_read_of_after_its_end_leaves_its_gaps_failed(desk, job):
    one, repair = job(0, 10), job(0, 10)
    await desk.hear(*one.planned(), *one.tasks("failed"))
    await desk.hear(*repair.planned(), *repair.tasks("failed"), repair.ended("failed"))
    await desk.hear(repair.fill((0, 10)))
    assert await desk.open_gaps() == [(0, 10, "failed")]


async def test_a_gap_that_opens_again_has_a_higher_version(desk, slots, job, in_minutes):
    jobs = [job(0, 10) for _ in range(3)]
    await desk.hear(*jobs[0].planned(), *jobs[0].tasks())
    slots.learn(BTC, in_minutes(0, 10), PRESENT)
    await desk.hear(*jobs[1].planned(), *jobs[1].tasks())
    slots.known.clear()
    await desk.hear(*jobs[2].planned(), *jobs[2].tasks())
    assert [type(e) for e in desk.of_gaps()] == [GapOpenedV1, GapClosedV1, GapOpenedV1]
    assert [e.version for e in desk.of_gaps()] == [1, 2, 3]


async def test_events_read_twice_are_acted_on_once(desk, job):
    one, repair = job(0, 10, BTC, ETH), job(0, 10)
    await desk.hear(*one.planned(), *one.tasks("failed"), one.ended("failed"))
    await desk.hear(repair.fill((0, 10)))
    said = (len(desk.of_gaps()), len(desk.said(TaskAuditedV1)))
    desk.read_again_from_the_start()
    await desk.work()
    assert (len(desk.of_gaps()), len(desk.said(TaskAuditedV1))) == said


async def test_while_the_slots_cannot_be_read_nothing_is_decided(desk, desk_over, slots, job):
    class Away:
        async def runs(self, *_: object) -> object:
            raise Unavailable("ClickHouse: away")

    one = job(0, 10)
    blind = desk_over(Away())
    with pytest.raises(Unavailable):
        await blind.hear(*one.planned(), *one.tasks())
    assert await desk.pool.fetchval("SELECT count(*) FROM tasks") == 0
    await desk.hear(*one.planned(), *one.tasks())
    assert len(desk.said(TaskAuditedV1)) == 1


async def test_of_two_auditors_of_one_series_the_second_reads_when_the_first_has_written(
    desk_over, slots, job, in_minutes, pool
):
    reading, go_on = asyncio.Event(), asyncio.Event()

    class Held:
        async def runs(self, *wanted: object) -> object:
            found = await slots.runs(*wanted)
            reading.set()
            await go_on.wait()
            return found

    first, second = desk_over(Held()), desk_over(slots)
    one, other = _of_two_partitions(job)
    auditing = asyncio.create_task(first.hear(*one.planned(), *one.tasks()))
    await reading.wait()
    slots.learn(BTC, in_minutes(0, 10), PRESENT)
    overtaking = asyncio.create_task(second.hear(*other.planned(), *other.tasks()))
    while not await pool.fetchval(WAITING):
        assert not overtaking.done(), "it does not wait for the one that has begun"
    go_on.set()
    await asyncio.gather(auditing, overtaking)
    assert await first.open_gaps() == []


def _of_two_partitions(job) -> tuple[Any, Any]:
    """Two jobs that two auditors may read of at once."""
    one = other = job(0, 10)
    while partition_of(str(one.job_id).encode(), 6) == partition_of(str(other.job_id).encode(), 6):
        other = job(0, 10)
    return one, other


async def test_open_gaps_are_told_of_again_at_every_start(desk, slots, job, in_minutes):
    one, repair = job(0, 10), job(0, 10)
    slots.learn(BTC, in_minutes(3, 5), PRESENT)
    await desk.hear(*one.planned(), *one.tasks())
    await desk.hear(repair.fill((5, 10)))
    newest = {event.gap_id: event for event in desk.of_gaps()}
    told = len(desk.of_gaps())
    await desk.resume()
    again = desk.of_gaps()[told:]
    assert {type(event) for event in again} == {GapChangedV1}
    assert {(e.gap_id, e.version, e.end, e.state) for e in again} == {
        (e.gap_id, e.version, e.end, e.state) for e in newest.values()
    }


async def test_a_thousand_series_end_at_once(desk, job):
    series = [Series("binance", f"S{number}/USDT", "1m") for number in range(1000)]
    one = job(0, 3, *series)
    await desk.hear(*one.planned(), *one.tasks("cancelled"), one.ended("cancelled"))
    assert len(desk.said(TaskAuditedV1)) == 1000
    assert len({e.gap_id for e in desk.said(GapOpenedV1)}) == 1000
    assert all(isinstance(e.gap_id, UUID) for e in desk.of_gaps())
