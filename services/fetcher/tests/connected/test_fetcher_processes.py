"""Fetcher processes on the real broker: the path, the budget, and who grants it."""

import asyncio
import os
import signal
from typing import Any

import pytest

from candlelog.events.candles import CandleBatchV1
from candlelog.events.limits import AllocatorStartedV1, BackoffObservedV1, BudgetGrantedV1
from candlelog.events.progress import ChunkDeferredV1, ChunkFetchedV1

pytestmark = pytest.mark.connected


async def _until(condition: Any, seconds: float = 15.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError


async def test_chunks_become_batches_within_the_budget(bench: Any):
    bench.start()
    chunks = bench.chunks(20)
    async with asyncio.timeout(60):
        progress = await bench.fetched(chunks)
        batches = await bench.read("candles", lambda found: len(found) >= 20)
    assert {event.chunk_id for event in progress} == {chunk.chunk_id for chunk in chunks}
    assert {type(event) for event in progress} == {ChunkFetchedV1}
    assert all(isinstance(batch, CandleBatchV1) for batch in batches)
    assert {batch.rows.num_rows for batch in batches} == {1000}
    stats = bench.sandbox.stats()
    assert stats["violations"] == 0
    assert stats["requests"]["/api/v3/klines"] == 20
    assert stats["requests"]["/api/v3/exchangeInfo"] == 1


async def test_work_goes_on_when_the_allocator_is_killed(bench: Any):
    bench.sandbox.turn("limits", {"capacity": 1200})
    fetchers = [bench.start(), bench.start()]
    async with asyncio.timeout(90):
        await bench.fetched(bench.chunks(10, minutes=100))
        await _until(lambda: any(fetcher.is_allocator for fetcher in fetchers))
        [allocator] = [fetcher for fetcher in fetchers if fetcher.is_allocator]
        allocator.process.kill()
        await bench.fetched(bench.chunks(60, minutes=100))
        ledger = await bench.read("limits.ledger", lambda found: len(found) > 3)
    assert sum(isinstance(event, AllocatorStartedV1) for event in ledger) >= 2
    assert bench.sandbox.stats()["violations"] == 0


async def test_an_allocator_that_was_stopped_grants_nothing_when_it_wakes_up(bench: Any):
    fetchers = [bench.start(), bench.start()]
    async with asyncio.timeout(90):
        await bench.fetched(bench.chunks(10, minutes=100))
        await _until(lambda: sum(fetcher.is_allocator for fetcher in fetchers) == 1)
        [stopped] = [fetcher for fetcher in fetchers if fetcher.is_allocator]
        os.kill(stopped.process.pid, signal.SIGSTOP)
        [other] = [fetcher for fetcher in fetchers if fetcher is not stopped]
        working = asyncio.create_task(bench.fetched(bench.chunks(300, minutes=100)))
        await _until(lambda: other.is_allocator)
        os.kill(stopped.process.pid, signal.SIGCONT)
        await _until(lambda: stopped.said("allocator_fenced") == 1)
        await working
        ledger = await bench.read("limits.ledger", lambda found: len(found) > 3)
    started = [event.allocator for event in ledger if isinstance(event, AllocatorStartedV1)]
    first, *_, last = started
    after = ledger[[type(event) for event in ledger].index(AllocatorStartedV1) + 1 :]
    change = next(
        at for at, event in enumerate(after)
        if isinstance(event, AllocatorStartedV1) and event.allocator != first
    )  # fmt: skip
    late = [event for event in after[change:] if isinstance(event, BudgetGrantedV1)]
    assert late
    assert {event.allocator for event in late} <= set(started) - {first}
    assert last != first
    assert bench.sandbox.stats()["violations"] == 0


async def test_a_429_stops_all_fetchers_until_the_time_given(bench: Any):
    bench.start()
    bench.start()
    async with asyncio.timeout(90):
        await bench.fetched(bench.chunks(20, minutes=100))
        bench.sandbox.turn("faults", {"faults": [{"kind": "429", "seconds": 5, "count": 1}]})
        before = len(bench.sandbox.arrivals())
        progress = await bench.fetched(bench.chunks(100, minutes=100))
        demand = await bench.read("limits.demand", lambda found: len(found) > 3)
    assert any(isinstance(event, BackoffObservedV1) for event in demand)
    assert any(isinstance(event, ChunkDeferredV1) for event in progress)
    arrivals = sorted(bench.sandbox.arrivals())[before:]
    refused_at = arrivals[0]
    assert max(at for at in arrivals if at < refused_at + 4000) <= refused_at + 500
    assert bench.sandbox.stats()["faults"] == {"429": 1}


async def test_a_fetcher_ends_in_order_when_told_to(bench: Any):
    fetcher = bench.start()
    async with asyncio.timeout(60):
        await bench.fetched(bench.chunks(3))
        fetcher.process.terminate()
        await _until(lambda: fetcher.process.poll() is not None)
    assert fetcher.process.returncode == 0
