"""Calls are kept apart, but for the first after a pause and for full batches."""

from datetime import UTC, datetime

import pytest

from candlelog.clock import ManualClock
from candlelog.log.pace import Paced

SECONDS, ENOUGH = 2.0, 3


@pytest.fixture
def clock():
    return ManualClock(datetime(2024, 1, 1, tzinfo=UTC))


@pytest.fixture
def paced(clock, monkeypatch):
    async def sleep(seconds):
        clock.advance(seconds)

    async def handle(received):
        return received

    monkeypatch.setattr("candlelog.log.pace.asyncio.sleep", sleep)
    return Paced(handle, clock, SECONDS, enough=ENOUGH)


async def test_calls_begin_apart(paced, clock):
    begun = []
    for _ in range(3):
        assert await paced(["event"]) == ["event"]
        begun.append(clock.monotonic())
    assert begun == [0.0, SECONDS, 2 * SECONDS]


async def test_the_first_after_a_pause_does_not_wait(paced, clock):
    await paced(["event"])
    clock.advance(5.0)
    await paced(["event"])
    assert clock.monotonic() == 5.0


async def test_a_full_batch_does_not_wait(paced, clock):
    for _ in range(3):
        await paced(["event"] * ENOUGH)
    assert clock.monotonic() == 0.0
