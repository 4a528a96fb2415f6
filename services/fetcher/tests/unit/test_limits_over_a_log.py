"""Workers and allocators over a log in memory, in real time."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from candlelog.clock import SystemClock
from candlelog.errors import Fenced
from candlelog.events.codec import Message
from candlelog.events.limits import (
    AllocatorStartedV1,
    BackoffDeclaredV1,
    BackoffObservedV1,
    BudgetGrantedV1,
    WindowOpenedV1,
)
from candlelog.log.memory import MemoryLog
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.market.profile import profile
from fetcher.domain.failures import BackingOff
from fetcher.domain.venue_time import TimeReading
from fetcher.limits import allocator as allocator_module
from fetcher.limits import purse as purse_module
from fetcher.limits import reporter
from fetcher.limits.budgets import Budgets, Surroundings
from fetcher.limits.catalogue import Catalogue
from fetcher.limits.purse import Purse

T = TypeVar("T", bound=Message)
LEDGER = "candlelog.limits.ledger"
Running = Callable[..., AbstractAsyncContextManager[tuple["Worker", "asyncio.Task[None]"]]]


class Worker:
    """The limits of one process. Its venue tells the time when asked."""

    def __init__(self, surroundings: Surroundings, catalogue: Catalogue) -> None:
        self.clock = surroundings.clock
        self.incarnation = surroundings.incarnation
        self.behind = 0.0
        self.catalogue = catalogue
        self.budgets = Budgets(surroundings, catalogue)
        self.stopping = asyncio.Event()

    @property
    def purse(self) -> Purse:
        return self.budgets.purse(profile("binance"))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.budgets.run(self.stopping))
            group.create_task(self._tell_time())

    async def spend(self, weight: float) -> None:
        async with asyncio.timeout(240):
            (await self.purse.acquire(weight)).use()
        self.purse.observe(int(self.clock.now().timestamp() // 60), used=weight)

    async def ask_time(self) -> None:
        async with asyncio.timeout(240):
            (await self.purse.acquire(1, for_time=True)).use()
        steady = self.clock.monotonic()
        now = self.clock.now().timestamp() - self.behind
        self.purse.learn_time(TimeReading(steady, steady, now), used=1)

    async def _tell_time(self) -> None:
        while True:
            await self.budgets.time_wanted()
            if self.purse.time.stale:
                await self.ask_time()


@pytest.fixture
async def log(clock: SystemClock) -> MemoryLog:
    return MemoryLog(clock=clock)


@pytest.fixture
def running(log: MemoryLog, clock: SystemClock) -> Running:
    """Opens the limits of one process, with the task that runs them."""

    @asynccontextmanager
    async def opened(
        seed: int = 1, egress: str = "default", ceiling: float | None = None
    ) -> AsyncGenerator[tuple[Worker, "asyncio.Task[None]"]]:
        async with log.producer() as producer:
            publisher = Publisher(producer, source="test", clock=clock, topic_prefix="candlelog.")
            worker = Worker(
                Surroundings(log, publisher, clock, Random(seed), uuid4()),
                Catalogue(egress, ceiling, clock),
            )
            task = asyncio.create_task(worker.run())
            try:
                yield worker, task
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    return opened


def ledger(log: MemoryLog, kind: type[T]) -> list[T]:
    found = (receive(record).event for record in log.records(LEDGER))
    return [event for event in found if isinstance(event, kind)]


async def test_a_fresh_system_grants_its_first_weight_without_waiting_for_silence(
    log: MemoryLog, running: Running, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(allocator_module, "SILENCE", 3600.0)
    async with running() as (worker, _):
        await worker.ask_time()
        await worker.spend(20)
        assert len(ledger(log, AllocatorStartedV1)) == 1


async def test_another_process_takes_over_when_the_allocator_is_gone(
    log: MemoryLog, running: Running
):
    async with running() as (first, task):
        await first.ask_time()
        await first.spend(2)
        async with running(seed=2) as (second, _):
            await second.ask_time()
            task.cancel()
            await second.spend(4)
    assert len(ledger(log, AllocatorStartedV1)) == 2


async def test_nobody_takes_over_before_the_ledger_was_silent_for_long(
    log: MemoryLog, running: Running
):
    async with running() as (first, _):
        await first.ask_time()
        async with running(seed=2) as (second, _):
            await second.ask_time()
            for _ in range(6):
                await asyncio.gather(first.spend(2), second.spend(2))
                await asyncio.sleep(0.4)
    early = [
        started.offset
        for before, started in pairwise(log.records(LEDGER))
        if isinstance(receive(started).event, AllocatorStartedV1)
        and (started.appended_at - before.appended_at).total_seconds() < allocator_module.SILENCE
    ]
    assert early == []


async def test_a_worker_with_the_time_of_before_the_venues_clock_was_set_learns_the_right_one(
    running: Running, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(purse_module, "_JUST_ASKED_SECONDS", 0.0)
    async with running() as (first, _), running(seed=2) as (second, _):
        await first.ask_time()
        await second.ask_time()
        steady, now = second.clock.monotonic(), second.clock.now().timestamp()
        second.purse.learn_time(TimeReading(steady, steady, now - 3600), used=None)
        await second.spend(2)
        assert second.purse.time.instant().earliest == pytest.approx(
            second.clock.now().timestamp(), abs=60
        )


async def test_an_allocator_asks_after_a_minute_what_its_venue_tells_in_whole_seconds(
    running: Running,
):
    async with running() as (worker, _):
        await worker.ask_time()
        time, asked = worker.purse.time, asyncio.Event()
        learn, time._stale_seconds = time.learn, 600.0

        def learned(reading: TimeReading) -> None:
            learn(reading)
            asked.set()

        time.learn = learned
        time._asked_at -= 61
        await worker.spend(2)
        async with asyncio.timeout(240):
            await asked.wait()
        assert worker.clock.monotonic() - time._asked_at < 61


async def test_an_allocator_that_was_fenced_writes_nothing_more(
    log: MemoryLog, running: Running, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(allocator_module, "SILENCE", 60.0)
    async with running() as (worker, _):
        await worker.ask_time()
        async with log.producer(transactional_id="candlelog.allocator"):
            before = len(log.records(LEDGER))
            with capture_logs() as logs:
                asking = asyncio.create_task(worker.purse.acquire(500))
                try:
                    async with asyncio.timeout(30):
                        while not logs:  # noqa: ASYNC110 -- a plain list is waited for
                            await asyncio.sleep(0.01)
                finally:
                    asking.cancel()
            assert [each["event"] for each in logs] == ["allocator_fenced"]
            assert len(log.records(LEDGER)) == before


async def test_a_producer_that_was_fenced_is_told_so(log: MemoryLog):
    async with (
        log.producer(transactional_id="candlelog.allocator") as old,
        log.producer(transactional_id="candlelog.allocator"),
    ):
        with pytest.raises(Fenced):
            await old.send_atomically([])


async def test_a_worker_spends_only_what_was_granted_to_it(log: MemoryLog, running: Running):
    async with running() as (first, _), running(seed=2) as (second, _):
        await first.ask_time()
        await second.ask_time()
        await asyncio.gather(*(first.spend(2) for _ in range(50)))
    granted = Counter[UUID]()
    for event in ledger(log, BudgetGrantedV1):
        granted[event.incarnation] += event.weight
    assert granted[first.incarnation] >= 101


def budget_of(egress: str) -> str:
    return f"binance|{egress}|REQUEST_WEIGHT"


async def test_each_egress_has_a_budget_of_its_own(log: MemoryLog, running: Running):
    async with running(egress="east") as (east, _), running(seed=2, egress="west") as (west, _):
        for worker in (east, west):
            await worker.ask_time()
            await worker.spend(2)
    granted = {(each.incarnation, each.budget) for each in ledger(log, BudgetGrantedV1)}
    assert granted == {
        (east.incarnation, budget_of("east")), (west.incarnation, budget_of("west")),
    }  # fmt: skip
    opened = {each.budget: each.capacity for each in ledger(log, WindowOpenedV1)}
    assert opened == {budget_of("east"): 6000.0, budget_of("west"): 6000.0}


async def test_a_refusal_to_one_egress_stops_no_other(running: Running):
    async with running(egress="east") as (east, _), running(seed=2, egress="west") as (west, _):
        await east.ask_time()
        east.purse.back_off(3600, "418")
        await west.ask_time()
        await west.spend(2)
        with pytest.raises(BackingOff):
            await east.spend(2)


@pytest.mark.parametrize(("ceiling", "capacity"), [(1000, 1000), (9000, 6000)])
async def test_a_ceiling_lowers_the_capacity_and_raises_none(
    log: MemoryLog, running: Running, ceiling: float, capacity: float
):
    async with running(ceiling=ceiling) as (worker, _):
        await worker.ask_time()
        await worker.spend(2)
    assert {each.capacity for each in ledger(log, WindowOpenedV1)} == {capacity}


async def test_who_comes_while_a_venue_wants_to_be_left_alone_knows_it(
    log: MemoryLog, running: Running
):
    async with running() as (first, _):
        await first.ask_time()
        first.purse.back_off(3600, "418")
        await first.budgets._reporter.report()
        async with running(seed=2) as (second, _):
            await second.budgets._readings.ready()
            with pytest.raises(BackingOff):
                await second.purse.acquire(1, for_time=True)


async def test_what_a_backoff_kept_back_is_granted_after_it_wherever_the_clock_is_set(
    log: MemoryLog, running: Running
):
    async with running() as (worker, _):
        await worker.ask_time()
        await worker.spend(2)
        worker.purse.back_off(0.5, "429")
        while not ledger(log, BackoffDeclaredV1):
            with suppress(BackingOff):
                await worker.spend(2)
            await asyncio.sleep(0.05)
        while True:
            try:
                await worker.spend(2)
                break
            except BackingOff as refusal:
                await asyncio.sleep(refusal.seconds)
        worker.behind = 3600.0
        await worker.ask_time()
        await worker.spend(2)


async def test_a_backoff_that_only_the_ledger_tells_of_is_known_to_a_purse_made_later(
    log: MemoryLog, running: Running, clock: SystemClock
):
    async with running() as (worker, _):
        await worker.budgets._readings.ready()
        declared = BackoffDeclaredV1(
            budget="binance|default|REQUEST_WEIGHT", allocator=uuid4(), reason="418",
            until=clock.now() + timedelta(hours=1), demand_offset=0,
        )  # fmt: skip
        worker.budgets._hear(declared, 0)
        with pytest.raises(BackingOff):
            await worker.purse.acquire(1, for_time=True)


async def test_a_backoff_met_right_before_the_end_is_told(log: MemoryLog, running: Running):
    async with running() as (worker, _):
        await worker.ask_time()
        limits = asyncio.create_task(worker.budgets.run(worker.stopping))
        await worker.budgets._readings.ready()
        worker.purse.back_off(60, "418")
        worker.stopping.set()
        await limits
    told = [receive(record).event for record in log.records("candlelog.limits.demand")]
    assert [type(event) for event in told].count(BackoffObservedV1) == 1


async def test_a_backoff_waits_for_no_report_before_it(
    log: MemoryLog, running: Running, monkeypatch: pytest.MonkeyPatch
):
    def told() -> list[type[Message]]:
        return [type(receive(each).event) for each in log.records("candlelog.limits.demand")]

    monkeypatch.setattr(reporter, "_APART_SECONDS", 3600.0)
    async with running() as (worker, _), asyncio.timeout(60):
        asking = asyncio.create_task(worker.purse.acquire(1, for_time=True))
        while not told():  # noqa: ASYNC110 -- a plain value is waited for
            await asyncio.sleep(0.01)
        worker.purse.back_off(60, "418")
        while BackoffObservedV1 not in told():  # noqa: ASYNC110 -- the same
            await asyncio.sleep(0.01)
    await asyncio.gather(asking, return_exceptions=True)
    assert told().count(BackoffObservedV1) == 1
