"""What a new allocator reads of the ledger before it grants."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from candlelog.clock import ManualClock
from candlelog.events.codec import Message
from candlelog.events.limits import (
    AllocatorAliveV1,
    AllocatorStartedV1,
    BackoffDeclaredV1,
    BackoffObservedV1,
    BudgetGrantedV1,
    BudgetRequestedV1,
    WindowOpenedV1,
)
from candlelog.log.memory import MemoryLog
from candlelog.log.memory.log import MemoryTail
from candlelog.log.ports import Start
from candlelog.log.publish import Publisher
from candlelog.log.receive import receive
from candlelog.log.types import Partition
from candlelog.market.profile import EXCHANGES, profile
from fetcher.domain.ledger import LedgerBook
from fetcher.limits import recovery, reign
from fetcher.limits.catalogue import Catalogue
from fetcher.limits.readings import Readings
from fetcher.limits.recovery import recover
from fetcher.limits.reign import Granting, Reign

LEDGER = "candlelog.limits.ledger"
NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
BANNED, WANTED = "binance|other|REQUEST_WEIGHT", "binance|default|REQUEST_WEIGHT"
DAY = timedelta(days=1)
OLD = UUID(int=1)


class NotedLog(MemoryLog):
    """A log that knows from where its ledger was read."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.begins: list[int] = []

    def tail(
        self, topics: Sequence[str], *, start: Start, only: Partition | None = None
    ) -> AbstractAsyncContextManager[MemoryTail]:
        if not isinstance(start, str):
            self.begins.append(start.get(Partition(LEDGER, 0), 0))
        return super().tail(topics, start=start, only=only)


@dataclass
class World:
    """A ledger, a demand topic, and time that moves only when told to."""

    clock: ManualClock
    log: NotedLog
    publisher: Publisher

    @property
    def end(self) -> int:
        return self.log.records(LEDGER)[-1].offset + 1

    async def alive(self, seconds: float, every: float, allocator: UUID = OLD) -> None:
        """An allocator that has nothing to grant."""
        for _ in range(round(seconds / every)):
            self.clock.advance(every)
            await self.publisher.publish(
                AllocatorAliveV1(allocator=allocator, alive_at=self.clock.now())
            )

    async def wish(self, budget: str = WANTED, weight: float = 10) -> None:
        await self.publisher.publish(
            BudgetRequestedV1(
                budget=budget,
                incarnation=OLD,
                weight=weight,
                ledger_position=0,
                requested_at=self.clock.now(),
            )
        )

    def declared(self) -> list[BackoffDeclaredV1]:
        events: list[Message] = [receive(each).event for each in self.log.records(LEDGER)]  # type: ignore[misc]
        return [each for each in events if isinstance(each, BackoffDeclaredV1)]

    @asynccontextmanager
    async def reign(self) -> AsyncGenerator[tuple[Reign, Readings]]:
        """A process that takes over."""
        readings = Readings(self.log, "candlelog.", lambda *_: None, clock=self.clock)
        catalogue = Catalogue("default", None, self.clock)
        granting = Granting(self.log, self.publisher, catalogue, lambda _: None, self.clock)
        stopping = asyncio.Event()
        running = asyncio.create_task(readings.run(stopping))
        async with self.log.producer(transactional_id="candlelog.allocator") as producer:
            await readings.ready()
            made = Reign(producer, readings, granting)
            await made.begin(uuid4())
            yield made, readings
        stopping.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def world() -> AsyncGenerator[World]:
    clock = ManualClock(NOW)
    log = NotedLog(clock)
    async with log.producer() as producer:
        yield World(
            clock,
            log,
            Publisher(producer, source="test", clock=clock, topic_prefix="candlelog."),
        )


def opened(budget: str, at: datetime) -> WindowOpenedV1:
    start = at.replace(second=0)
    return WindowOpenedV1(
        budget=budget,
        allocator=OLD,
        window_id=int(start.timestamp() // 60),
        start=start,
        end=start + timedelta(minutes=1),
        opened_at=at,
        capacity=6000,
        foreign=0,
        last_granted=0,
        last_used=0,
        demand_offset=0,
    )


def granted(budget: str, at: datetime, weight: float) -> BudgetGrantedV1:
    return BudgetGrantedV1(
        budget=budget,
        allocator=OLD,
        window_id=int(at.timestamp() // 60),
        incarnation=OLD,
        sequence=1,
        weight=weight,
        not_before=at,
        expires_at=at,
        demand_offset=0,
    )


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_two_windows_of_every_venue_are_read(exchange: str):
    longest = max(budget.window_seconds for budget in profile(exchange).budgets)
    assert timedelta(seconds=2 * longest) <= recovery.FAR_ENOUGH


async def test_what_was_granted_of_the_open_window_is_known_to_the_unit(world: World):
    await world.alive(1000, every=1)
    await world.publisher.publish(opened(WANTED, world.clock.now()))
    for _ in range(10):
        await world.publisher.publish(granted(WANTED, world.clock.now(), 7))
    await world.alive(15, every=0.01)
    page = (await recover(world.log, LEDGER, world.end)).page(WANTED)
    assert page.window is not None
    assert page.granted == 70


async def test_a_long_ledger_is_read_no_further_back_than_what_is_worth_anything(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recovery, "_FIRST_SPAN", 50)
    await world.alive(5000, every=1)
    await recover(world.log, LEDGER, world.end)
    assert min(world.log.begins) >= world.end - 4 * 4 * 50


@pytest.mark.parametrize("ahead", [timedelta(minutes=-10), timedelta(minutes=10)])
async def test_clocks_that_disagree_bring_nobody_to_stop_too_early(
    world: World, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
):
    monkeypatch.setattr(recovery, "_FIRST_SPAN", 20)
    await world.alive(500, every=1)
    await world.publisher.publish(opened(WANTED, world.clock.now()))
    await world.alive(30, every=1)
    world.clock.advance(ahead.total_seconds())
    await world.alive(30, every=1, allocator=UUID(int=2))
    assert (await recover(world.log, LEDGER, world.end)).page(WANTED).window is not None


async def test_a_clock_that_is_set_brings_nobody_to_stop_too_early(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recovery, "_FIRST_SPAN", 20)
    await world.alive(500, every=1)
    await world.publisher.publish(opened(WANTED, world.clock.now()))
    await world.alive(30, every=1)
    world.clock.advance(3600)
    await world.alive(10, every=1)
    assert (await recover(world.log, LEDGER, world.end)).page(WANTED).window is not None


async def test_reading_the_ledger_leaves_the_event_loop_to_others(world: World):
    await world.alive(100, every=0.01)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    await recover(world.log, LEDGER, world.end)
    running.cancel()
    assert turns >= 20


async def test_an_allocator_that_reads_for_long_says_that_it_lives(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    known = asyncio.Event()

    async def slowly(*_: object) -> LedgerBook:
        await known.wait()
        return LedgerBook()

    monkeypatch.setattr(reign, "recover", slowly)
    monkeypatch.setattr(reign, "ALIVE_SECONDS", 0.01)

    async def lives() -> None:
        while len(world.log.records(LEDGER)) < 3:  # noqa: ASYNC110 -- a plain value is waited for
            await asyncio.sleep(0.01)
        known.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(lives())
        async with world.reign():
            said = [type(receive(each).event) for each in world.log.records(LEDGER)]
    assert said[:3] == [AllocatorStartedV1, AllocatorAliveV1, AllocatorAliveV1]


async def test_a_ban_of_days_is_known_to_every_allocator_though_nobody_wants_its_budget(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recovery, "_FIRST_SPAN", 20)
    until = NOW + 3 * DAY
    await world.publisher.publish(
        AllocatorStartedV1(allocator=OLD, started_at=NOW),
        BackoffDeclaredV1(budget=BANNED, allocator=OLD, until=until, reason="418", demand_offset=0),
    )
    for _ in range(3):
        async with world.reign() as (reign, readings):
            for _ in range(200):
                world.clock.advance(5)
                await world.wish()
                await readings.demand.caught_up()
                await reign.step()
        world.clock.advance(3600)
        async with world.reign():
            pass  # one that dies before it has written anything
    assert world.log.begins[-1] > world.end - 200
    book = await recover(world.log, LEDGER, world.end)
    assert book.page(BANNED).backoff_until == until.timestamp()


async def test_a_backoff_that_is_over_is_not_stated_any_more(world: World):
    await world.publisher.publish(
        BackoffDeclaredV1(
            budget=BANNED,
            allocator=OLD,
            until=NOW + timedelta(minutes=5),
            reason="429",
            demand_offset=0,
        )
    )
    async with world.reign() as (reign, readings):
        for _ in range(100):
            world.clock.advance(10)
            await world.wish()
            await readings.demand.caught_up()
            await reign.step()
    assert 10 <= len(world.declared()) <= 14


async def test_a_backoff_is_declared_though_its_worker_wants_nothing_any_more(world: World):
    async with world.reign() as (reign, readings):
        await world.publisher.publish(
            BackoffObservedV1(
                budget=BANNED,
                incarnation=OLD,
                until=NOW + DAY,
                reason="418",
                observed_at=NOW,
            )
        )
        await world.wish(BANNED, weight=0)
        await readings.demand.caught_up()
        assert await reign.step()
        assert not await reign.step()
    assert {(each.budget, each.until, each.reason) for each in world.declared()} == {
        (BANNED, NOW + DAY, "418")
    }
