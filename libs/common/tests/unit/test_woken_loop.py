"""A loop that works when it is woken, or when it was left alone for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from candlelog.errors import Unavailable
from candlelog.woken import Step, WokenLoop


class Zero(Random):
    """Waits no time at all between attempts."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


def loop(step: Step, woken: asyncio.Event, tick_seconds: float = 60) -> WokenLoop:
    return WokenLoop("test", step, woken, service="test", tick_seconds=tick_seconds, random=Zero())


def counting(
    stop_at: int, stopping: asyncio.Event
) -> tuple[list[int], Callable[[], Awaitable[bool]]]:
    calls: list[int] = []

    async def step() -> bool:
        calls.append(len(calls))
        if len(calls) == stop_at:
            stopping.set()
        return False

    return calls, step


async def test_it_works_once_at_first_and_then_whenever_it_is_woken():
    woken, stopping = asyncio.Event(), asyncio.Event()
    calls, step = counting(3, stopping)
    running = asyncio.create_task(loop(step, woken).run(stopping))
    for expected in (1, 2):
        await asyncio.sleep(0.02)
        assert len(calls) == expected
        woken.set()
    await asyncio.sleep(0.02)
    woken.set()
    await running
    assert len(calls) == 3


async def test_left_alone_it_works_at_every_tick():
    stopping = asyncio.Event()
    calls, step = counting(4, stopping)
    await loop(step, asyncio.Event(), tick_seconds=0.001).run(stopping)
    assert len(calls) == 4


async def test_a_step_with_more_to_do_is_called_again_at_once():
    stopping, left = asyncio.Event(), [True, True, False]

    async def step() -> bool:
        again = left.pop(0)
        if not left:
            stopping.set()
        return again

    await loop(step, asyncio.Event(), tick_seconds=0.001).run(stopping)
    assert left == []


async def test_an_outage_is_waited_out():
    stopping, troubles = asyncio.Event(), [Unavailable("away"), Unavailable("away")]

    async def step() -> bool:
        if troubles:
            raise troubles.pop()
        stopping.set()
        return False

    await loop(step, asyncio.Event(), tick_seconds=0.001).run(stopping)
    assert troubles == []


async def test_a_bug_ends_the_loop():
    async def step() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await loop(step, asyncio.Event()).run(asyncio.Event())
