"""Shutdown and rebalance: stop taking, finish or drop what is in hand, commit, leave."""

import asyncio

from candlelog.errors import Unavailable
from candlelog.log.outcome import Done


class Slow:
    """A handler that finishes when told to."""

    def __init__(self):
        self.began, self.ended = [], []
        self.gate = asyncio.Event()

    async def __call__(self, received):
        keys = [item.event.key for item in received]
        self.began += keys
        await self.gate.wait()
        self.ended += keys
        return [Done()] * len(received)


async def test_a_shutdown_finishes_what_is_in_hand_and_takes_nothing_more(bench, eventually):
    slow = Slow()
    await bench.commands(10)
    async with bench.running(slow, batch=4, grace=5.0):
        await eventually(lambda: slow.began)
        asyncio.get_running_loop().call_later(0.3, slow.gate.set)

    assert len(slow.ended) == len(slow.began) == 4
    assert await bench.uncommitted() == 6


async def test_a_shutdown_drops_what_does_not_end_in_time_and_it_comes_again(
    bench, handler, eventually
):
    slow = Slow()
    await bench.commands(3)
    async with bench.running(slow, grace=0.1):
        await eventually(lambda: slow.began)
    assert not slow.ended
    assert await bench.uncommitted() == 3

    handle = handler()
    async with bench.running(handle):
        await eventually(lambda: len(handle.seen) == 3)
    assert sorted(handle.seen) == sorted(slow.began)


async def test_a_shutdown_does_not_wait_for_a_store_that_is_away(bench, handler, eventually):
    def answer(event):
        raise Unavailable("away")

    await bench.commands(1)
    handle = handler(answer)
    async with asyncio.timeout(240), bench.running(handle, grace=3600.0):
        await eventually(lambda: handle.calls)

    assert await bench.uncommitted() == 1


async def test_a_shutdown_commits_what_was_done_beside_a_slow_call(bench, eventually):
    ended, gate = [], asyncio.Event()

    async def handle(received):
        (item,) = received
        if item.event.key == "venue-0":
            await gate.wait()
        ended.append(item.event.key)
        return [Done()]

    await bench.commands(8)
    async with bench.running(handle, batch=1, concurrency=8, grace=0.1):
        await eventually(lambda: len(ended) == 7)

    behind_the_slow_one = await bench.uncommitted()
    assert 1 <= behind_the_slow_one < 8


async def test_a_rebalance_finishes_and_commits_what_is_in_hand_before_others_get_it(
    bench, handler, eventually
):
    slow, handle = Slow(), handler()
    await bench.commands(12)
    async with bench.running(slow, grace=5.0):
        await eventually(lambda: slow.began)
        asyncio.get_running_loop().call_later(0.2, slow.gate.set)
        async with bench.running(handle):
            assert len(slow.ended) == 12
            await bench.commands(12, first=12)
            await eventually(lambda: len(slow.ended) + len(handle.seen) == 24)

    assert handle.seen
    assert len(set(slow.ended) | set(handle.seen)) == 24
    assert await bench.uncommitted() == 0


async def test_a_rebalance_drops_what_does_not_end_in_time(bench, handler, eventually):
    slow, handle = Slow(), handler()
    await bench.commands(12)
    async with bench.running(slow, grace=0.1):
        await eventually(lambda: slow.began)
        async with bench.running(handle):
            await eventually(lambda: handle.seen)
            slow.gate.set()
            await eventually(lambda: len(set(slow.ended) | set(handle.seen)) == 12)

    assert len(slow.ended) + len(handle.seen) == 12
    assert await bench.uncommitted() == 0


async def test_a_rebalance_is_not_held_up_by_a_store_that_is_away(bench, handler, eventually):
    away, done = True, []

    def answer(event):
        if away:
            raise Unavailable("away")
        done.append(event.key)
        return Done()

    first, second = handler(answer), handler(answer)
    await bench.commands(12)
    async with asyncio.timeout(240), bench.running(first, grace=3600.0):
        await eventually(lambda: first.calls)
        async with bench.running(second, grace=3600.0):
            await eventually(lambda: second.calls)
            away = False
            await eventually(lambda: len(set(done)) == 12)

    assert await bench.uncommitted() == 0


async def test_a_commit_that_fails_is_made_up_for_later(bench, handler, eventually):
    def answer(event):
        bench.log.away = True
        return Done()

    await bench.commands(3)
    handle = handler(answer)
    async with bench.running(handle):
        await eventually(lambda: bench.log.away)
        await asyncio.sleep(0.5)
        bench.log.away = False
        await asyncio.sleep(0.6)
        assert len(handle.seen) == 3

    assert await bench.uncommitted() == 0
