"""Which records are worked on together."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from candlelog.log.types import Partition, Record
from featurizer.adapters import gathering
from featurizer.adapters.gathering import Gathering, Taken
from featurizer.adapters.memory import MemoryBarrier

TOPIC = Partition("test.candles", 3)


def taken(offset: int, value: bytes = b"") -> Taken:
    appended = datetime(2024, 3, 1, tzinfo=UTC)
    return Taken(Record(TOPIC, offset, b"", value, (), appended), event=None, rebalances=0)


async def gathered(barrier: MemoryBarrier, *records: Taken, most: int = 100) -> Gathering:
    made = Gathering(barrier, "test.", most=most, seconds=0.001)
    for each in records:
        await made.put(each)
    return made


async def offsets(gathering: Gathering) -> list[int]:
    async with asyncio.timeout(240):
        return [each.record.offset for each in await gathering.group()]


async def has_no_room(gathering: Gathering) -> bool:
    """Whether another record would have to wait."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await gathering.put(taken(99))
            return False
    return True


async def test_what_waits_is_worked_on_together_once_it_is_stored():
    barrier = MemoryBarrier()
    waiting = await gathered(barrier, taken(0), taken(1))
    group = asyncio.create_task(offsets(waiting))
    barrier.rise("candles", 3, 1)
    done, _ = await asyncio.wait([group], timeout=0.05)
    assert not done
    barrier.rise("candles", 3, 2)
    assert await group == [0, 1]


async def test_what_came_and_was_stored_meanwhile_joins_the_group():
    barrier = MemoryBarrier()
    waiting = await gathered(barrier, taken(0))
    passed = barrier.passed

    async def passed_late(positions):
        for offset in (1, 2, 3):
            await waiting.put(taken(offset))
        barrier.rise("candles", 3, 3)
        await passed(positions)

    barrier.passed = passed_late
    assert await offsets(waiting) == [0, 1, 2]


async def test_a_group_holds_so_many_records_at_most():
    barrier = MemoryBarrier()
    barrier.rise("candles", 3, 9)
    waiting = await gathered(barrier, taken(0), taken(1), most=2)
    more = asyncio.create_task(waiting.put(taken(2)))
    assert await offsets(waiting) == [0, 1]
    await more
    assert await offsets(waiting) == [2]


async def test_a_group_ends_with_the_record_that_makes_it_large(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "_BYTES", 10)
    barrier = MemoryBarrier()
    barrier.rise("candles", 3, 9)
    waiting = await gathered(barrier, taken(0, b"1234"), taken(1, b"1234567"))
    more = asyncio.create_task(waiting.put(taken(2)))
    assert await offsets(waiting) == [0, 1]
    await more
    assert await offsets(waiting) == [2]


async def test_no_more_wait_than_a_group_may_hold():
    waiting = await gathered(MemoryBarrier(), taken(0), taken(1), most=2)
    assert await has_no_room(waiting)


async def test_no_more_bytes_wait_than_a_group_may_hold(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "_BYTES", 10)
    waiting = await gathered(MemoryBarrier(), taken(0, b"1234567890"))
    assert await has_no_room(waiting)


async def test_it_is_filled_by_the_first_record():
    waiting = await gathered(MemoryBarrier())
    filled = asyncio.create_task(waiting.filled())
    await waiting.put(taken(0))
    async with asyncio.timeout(240):
        await filled
