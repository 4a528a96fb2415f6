"""Fetcher processes on the real broker: the path, the budget, and who grants it."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

import pytest

from candlelog.events.candles import CandleBatchV1
from candlelog.events.codec import Message
from candlelog.events.limits import (
    AllocatorStartedV1,
    BackoffObservedV1,
    BudgetGrantedV1,
    WindowOpenedV1,
)
from candlelog.events.progress import ChunkDeferredV1, ChunkFetchedV1
from candlelog.market.timeframe import milliseconds

pytestmark = pytest.mark.connected

REFUSAL: Final = {"kind": "429", "seconds": 5, "count": 1}


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(240):
        while not condition():  # noqa: ASYNC110 -- what is waited for is another process
            await asyncio.sleep(0.05)


async def _allocator(fetchers: Sequence[Any]) -> Any:
    """The one that grants. One that was fenced says so a moment after the next has begun."""
    reigning: list[Any] = []

    def is_one() -> bool:
        reigning[:] = [fetcher for fetcher in fetchers if fetcher.reign]
        return len(reigning) == 1

    await _until(is_one)
    return reigning[0]


def _starts(ledger: Sequence[Message]) -> list[AllocatorStartedV1]:
    return [event for event in ledger if isinstance(event, AllocatorStartedV1)]


def _grants_after(reign: UUID, ledger: Sequence[Message]) -> list[BudgetGrantedV1]:
    """What was granted once another allocator had taken over from `reign`."""
    began, later = False, list[BudgetGrantedV1]()
    fenced = False
    for event in ledger:
        if isinstance(event, AllocatorStartedV1):
            fenced = fenced or (began and event.allocator != reign)
            began = began or event.allocator == reign
        elif fenced and isinstance(event, BudgetGrantedV1):
            later.append(event)
    return later


async def test_chunks_become_batches_within_the_budget(bench: Any):
    bench.start()
    chunks = bench.chunks(20)
    async with asyncio.timeout(240):
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
    async with asyncio.timeout(240):
        await bench.fetched(bench.chunks(10, minutes=100))
        (await _allocator(fetchers)).process.kill()
        await bench.fetched(bench.chunks(60, minutes=100))
        await bench.read("limits.ledger", lambda ledger: len(_starts(ledger)) >= 2)
    assert bench.sandbox.stats()["violations"] == 0


async def test_an_allocator_that_was_stopped_grants_nothing_when_it_wakes_up(bench: Any):
    fetchers = [bench.start(), bench.start()]
    async with asyncio.timeout(240):
        await bench.fetched(bench.chunks(10, minutes=100))
        stopped = await _allocator(fetchers)
        reign = stopped.reign
        os.kill(stopped.process.pid, signal.SIGSTOP)
        [other] = [fetcher for fetcher in fetchers if fetcher is not stopped]
        async with asyncio.TaskGroup() as group:
            group.create_task(bench.fetched(bench.chunks(300, minutes=100)))
            await _until(lambda: other.reign is not None)
            os.kill(stopped.process.pid, signal.SIGCONT)
        while stopped.reign == reign:  # it learns that it was fenced when it has something to grant
            await bench.fetched(bench.chunks(20, minutes=100))
        ledger = await bench.read("limits.ledger", lambda ledger: _grants_after(reign, ledger))
    assert reign not in {grant.allocator for grant in _grants_after(reign, ledger)}
    assert bench.sandbox.stats()["violations"] == 0


async def test_a_429_stops_all_fetchers_until_the_time_given(bench: Any):
    bench.start()
    bench.start()
    said: list[Message] = []
    refusals = 0
    async with asyncio.timeout(240):
        await bench.fetched(bench.chunks(20, minutes=100))
        # Both have heard of it when nothing is fetched of so many chunks; of a pause that ended
        # before that they are told another time.
        while not said or any(isinstance(event, ChunkFetchedV1) for event in said):
            if not any(isinstance(event, ChunkDeferredV1) for event in said):
                refusals += 1
                bench.sandbox.turn("faults", {"faults": [REFUSAL]})
                refused_after = max(bench.sandbox.arrivals())
            said = await bench.answered(bench.chunks(40, minutes=100))
        before = len(bench.sandbox.arrivals())
        await bench.fetched(bench.chunks(40, minutes=100))
        demand = await bench.read("limits.demand", lambda found: len(_backoffs(found)) >= refusals)
    until = max(milliseconds(backoff.until) for backoff in _backoffs(demand))
    assert until >= refused_after + 1000 * (REFUSAL["seconds"] - 1)
    assert min(bench.sandbox.arrivals()[before:]) >= until
    assert bench.sandbox.stats()["faults"] == {"429": refusals}


def _backoffs(demand: Sequence[Message]) -> list[BackoffObservedV1]:
    return [event for event in demand if isinstance(event, BackoffObservedV1)]


async def test_each_egress_has_a_budget_of_its_own_under_the_ceiling(bench: Any):
    for egress in ("east", "west"):
        bench.start(CANDLELOG_EGRESS=egress, FETCHER_BUDGET_CEILING="1000")
    capacities: dict[str, float] = {}
    async with asyncio.timeout(240):
        while len(capacities) < 2:  # until both fetch: who comes first has all partitions at first
            await bench.fetched(bench.chunks(20, minutes=100))
            ledger = await bench.read("limits.ledger", bool)
            capacities = {
                event.budget: event.capacity
                for event in ledger
                if isinstance(event, WindowOpenedV1)
            }
    assert capacities == {
        "binance|east|REQUEST_WEIGHT": 1000.0, "binance|west|REQUEST_WEIGHT": 1000.0,
    }  # fmt: skip


async def test_a_fetcher_ends_in_order_when_told_to(bench: Any):
    fetcher = bench.start()
    async with asyncio.timeout(240):
        await bench.fetched(bench.chunks(3))
        fetcher.process.terminate()
        await _until(lambda: fetcher.process.poll() is not None)
    assert fetcher.process.returncode == 0
