"""The allocator's decisions, and whole histories of them."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlelog.events.event import Event
from candlelog.events.limits import (
    AllocatorStartedV1,
    BackoffDeclaredV1,
    BackoffObservedV1,
    BudgetGrantedV1,
    BudgetRequestedV1,
    UsageObservedV1,
    WindowOpenedV1,
)
from fetcher.domain.demand import DemandBook
from fetcher.domain.granting import SET_SECONDS, Account, Moment, Terms
from fetcher.domain.ledger import LedgerBook
from fetcher.domain.windows import moment, window_at

BUDGET = "binance|default|REQUEST_WEIGHT"
START = 1_800_000_001.0
ME, YOU = UUID(int=1), UUID(int=2)
TERMS = Terms(BUDGET, 6000, 60, None, worker_reserve=2, probe=22, time_weight=1)


@dataclass
class World:
    """A ledger and a demand topic, and whoever is allocator now."""

    now: float = START
    demand: DemandBook = field(default_factory=DemandBook)
    book: LedgerBook = field(default_factory=LedgerBook)
    ledger: list[Event] = field(default_factory=list)
    allocator: UUID = field(default_factory=uuid4)
    demanded: int = 0

    def wish(
        self, who: UUID, weight: float, position: int | None = None, at_once: float = 0.0
    ) -> None:
        seen = len(self.ledger) if position is None else position
        self.say(
            BudgetRequestedV1(
                budget=BUDGET,
                incarnation=who,
                weight=weight,
                at_once=at_once,
                ledger_position=seen,
                requested_at=moment(self.now),
            )
        )

    def use(self, who: UUID, used: float, spent: float) -> None:
        self.say(
            UsageObservedV1(
                budget=BUDGET,
                incarnation=who,
                window_id=window_at(self.now, 60).id,
                used=used,
                spent_by_us=spent,
                observed_at=moment(self.now),
            )
        )

    def back_off(self, until: float) -> None:
        self.say(
            BackoffObservedV1(
                budget=BUDGET,
                incarnation=ME,
                until=moment(until),
                reason="429",
                observed_at=moment(self.now),
            )
        )

    def say(self, event: Event) -> None:
        self.demand.apply(event, self.demanded, self.now)
        self.demanded += 1

    def step(self, terms: Terms = TERMS) -> list[Event]:
        account = Account(terms, self.book.page(BUDGET), self.demand, self.allocator)
        written: list[Event] = list(account.entries(Moment(self.now, 0.01, self.now)))
        for event in written:
            self.book.apply(event, len(self.ledger))
            self.ledger.append(event)
        return written

    def take_over(self) -> None:
        """Another process becomes allocator: it knows what stands on the log, nothing else."""
        self.allocator = uuid4()
        self.ledger.append(
            AllocatorStartedV1(allocator=self.allocator, started_at=moment(self.now))
        )
        self.book = LedgerBook()
        for offset, event in enumerate(self.ledger):
            self.book.apply(event, offset)

    def granted(self, window_id: int) -> float:
        return sum(
            event.weight
            for event in self.ledger
            if isinstance(event, BudgetGrantedV1) and event.window_id == window_id
        )

    def grants(self) -> list[BudgetGrantedV1]:
        return [event for event in self.ledger if isinstance(event, BudgetGrantedV1)]


def test_a_window_opens_before_anything_is_granted_of_it():
    world = World()
    world.wish(ME, 10)
    opened, granted = world.step()
    assert isinstance(opened, WindowOpenedV1)
    assert isinstance(granted, BudgetGrantedV1)
    assert (granted.window_id, granted.incarnation, granted.weight) == (opened.window_id, ME, 10)


def test_a_wish_and_a_grant_that_cross_are_not_granted_twice():
    world = World()
    world.wish(ME, 10)
    world.step()
    world.wish(ME, 10, position=0)
    assert world.step() == []


def test_a_wish_that_is_not_repeated_is_forgotten():
    world = World()
    world.wish(ME, 10)
    world.now += 4
    assert [event for event in world.step() if isinstance(event, BudgetGrantedV1)] == []


@pytest.mark.parametrize(("ceiling", "workers"), [(60, 3), (100, 5), (200, 10)])
def test_everybody_gets_at_once_what_a_list_of_markets_costs(ceiling: float, workers: int):
    world, terms = World(), replace(TERMS, ceiling=ceiling)
    waiting = [uuid4() for _ in range(workers)]
    for _ in range(4 * 60 * workers):
        world.now += 0.25
        window, got = window_at(world.now, 60).id, dict.fromkeys(waiting, 0.0)
        for grant in world.grants():
            if grant.window_id == window and grant.incarnation in got:
                got[grant.incarnation] += grant.weight
        waiting = [who for who in waiting if got[who] < 20]
        for who in waiting:
            world.wish(who, 40, at_once=20 - got[who])
        world.step(terms)
    assert waiting == []


def test_who_needs_more_at_once_than_can_come_is_not_waited_for():
    world, terms = World(), replace(TERMS, ceiling=60)
    for _ in range(2):
        world.now += 1
        world.wish(ME, 100, at_once=80)
        world.wish(YOU, 40, at_once=2)
        world.step(terms)
    assert (YOU, 2) in [(grant.incarnation, grant.weight) for grant in world.grants()]


def test_in_the_window_in_which_a_backoff_ends_nobody_is_waited_for_whose_piece_cannot_come():
    world, terms = World(), replace(TERMS, ceiling=60)
    start = window_at(world.now, 60).start + 60
    world.now = start
    world.back_off(start + 45)
    while world.now < start + 59:
        world.now += 0.25
        world.wish(ME, 40, at_once=20)
        world.wish(YOU, 10, at_once=2)
        world.step(terms)
    assert sum(grant.weight for grant in world.grants() if grant.incarnation == YOU) >= 2


def test_two_workers_share_what_there_is():
    world = World()
    world.wish(ME, 5000)
    world.wish(YOU, 5000)
    world.step()
    mine, yours = world.grants()
    assert abs(mine.weight - yours.weight) <= 1


def test_in_the_middle_of_a_window_only_a_probe_is_granted_until_the_venue_has_counted():
    world = World(now=START + 30)
    world.wish(ME, 500)
    world.step()
    assert world.granted(window_at(START, 60).id) == TERMS.probe
    world.use(ME, used=TERMS.probe, spent=TERMS.probe)
    world.step()
    assert world.granted(window_at(START, 60).id) == 500


def test_what_others_used_is_not_granted():
    world = World(now=START + 55)
    world.use(ME, used=5000, spent=0)
    world.wish(ME, 5000)
    world.step()
    assert world.granted(window_at(START, 60).id) <= 1000


@pytest.mark.parametrize("begin", [0, 15])
def test_others_who_begin_in_a_window_are_expected_to_go_on_until_its_end(begin: int):
    world, foreign = World(), 0.0
    world.now = window_at(START, 60).start + 60
    window = window_at(world.now, 60)
    while world.now < window.end - 1:
        world.wish(ME, 5000)
        world.step()
        granted = world.granted(window.id)
        world.now += 0.25
        world.use(ME, used=granted + foreign, spent=granted)  # as of a moment before
        foreign += 0.25 * 33 * (world.now > window.start + begin)
    assert granted + 33 * (60 - begin) <= TERMS.capacity


def test_after_the_clock_of_a_venue_was_an_hour_ahead_it_is_granted_on_as_in_a_window_begun():
    world = World(now=START + 3600)
    world.wish(ME, 500)
    world.step()
    world.use(ME, used=500, spent=500)
    world.now = START + 30
    world.wish(ME, 500)
    world.step()
    this = window_at(START, 60).id
    assert world.granted(this) == TERMS.probe
    world.use(ME, used=TERMS.probe, spent=TERMS.probe)
    world.wish(ME, 500)
    world.step()
    assert world.granted(this) == TERMS.probe + 500


def test_what_was_granted_of_a_window_counts_when_the_clock_comes_back_to_it():
    world = World(now=START + 50)
    world.use(ME, used=0, spent=0)
    world.wish(ME, 5000)
    world.step()
    world.now += 120
    world.wish(ME, 500)
    world.step()
    world.now -= 118
    world.use(ME, used=5000, spent=5000)
    for _ in range(2):
        world.wish(ME, 5000)
        world.step()
    assert 5000 <= world.granted(window_at(START, 60).id) <= TERMS.capacity


def test_a_late_report_of_an_older_window_takes_the_place_of_no_newer_one():
    world = World(now=START + 55)
    world.use(ME, used=5000, spent=0)
    world.say(
        UsageObservedV1(
            budget=BUDGET,
            incarnation=YOU,
            window_id=window_at(START, 60).id - 3,
            used=40,
            spent_by_us=40,
            observed_at=moment(world.now),
        )
    )
    world.wish(ME, 5000)
    world.step()
    assert world.granted(window_at(START, 60).id) <= 1000


def test_a_backoff_is_declared_and_nothing_granted_before_it_is_over():
    world = World()
    world.wish(ME, 10)
    world.back_off(START + 20)
    first = world.step()
    assert isinstance(first[0], BackoffDeclaredV1)
    world.now = START + 19
    world.wish(ME, 10)
    assert world.step() == []
    world.now = START + 26
    world.wish(ME, 10)
    world.step()
    [grant] = world.grants()
    assert grant.demand_offset > 1


def test_a_new_allocator_keeps_to_a_backoff_it_reads_on_the_ledger():
    world = World()
    world.wish(ME, 10)
    world.back_off(START + 100)
    world.step()
    world.demand = DemandBook()
    world.take_over()
    world.now = START + 61
    world.wish(ME, 10)
    world.step()
    assert world.grants() == []


def test_a_ceiling_lowers_the_capacity_and_never_raises_it():
    for ceiling, expected in ((1000.0, 1000.0), (9000.0, 6000.0)):
        world = World()
        world.wish(ME, 10)
        opened, *_ = world.step(
            Terms(BUDGET, 6000, 60, ceiling, worker_reserve=2, probe=22, time_weight=1)
        )
        assert isinstance(opened, WindowOpenedV1)
        assert opened.capacity == expected


def test_where_time_is_unknown_every_worker_gets_one_question_for_it():
    world = World()
    world.wish(ME, 50)
    world.wish(YOU, 50)
    account = Account(TERMS, world.book.page(BUDGET), world.demand, world.allocator)
    probes = list(account.probes(Moment(START, 0, START)))
    assert all(isinstance(event, BudgetGrantedV1) for event in probes)
    assert [(event.window_id, event.weight) for event in probes] == [(0, 1), (0, 1)]


def test_probes_count_against_the_window_that_follows():
    world = World()
    world.wish(ME, 1)
    account = Account(TERMS, world.book.page(BUDGET), world.demand, world.allocator)
    for event in account.probes(Moment(START, 0, START)):
        world.book.apply(event, len(world.ledger))
        world.ledger.append(event)
    world.wish(ME, 5)
    world.step()
    assert world.book.page(BUDGET).granted == 1 + 5


events = st.one_of(
    st.tuples(st.just("wait"), st.floats(0.01, 20)),
    st.tuples(st.just("wish"), st.integers(1, 4000)),
    st.tuples(st.just("use"), st.integers(0, 6000)),
    st.tuples(st.just("take over"), st.just(0)),
    st.tuples(st.just("back off"), st.floats(0, 90)),
    st.tuples(st.just("back in time"), st.one_of(st.floats(0, 3), st.floats(50, 200))),
    st.tuples(st.just("wait"), st.floats(50, 200)),
)


@settings(max_examples=200)
@given(st.lists(st.tuples(events, st.integers(0, 2)), max_size=60))
def test_no_history_of_wishes_uses_takeovers_and_clocks_grants_more_than_a_window_has(
    history: list[tuple[tuple[str, float], int]],
):
    world, workers = World(), [UUID(int=number + 1) for number in range(3)]
    for (kind, value), worker in history:
        if kind == "wait":
            world.now += value
        elif kind == "wish":
            world.wish(workers[worker], value, at_once=min(value, 20))
        elif kind == "use":
            world.use(workers[worker], used=value, spent=value / 2)
        elif kind == "take over":
            world.take_over()
        elif kind == "back off":
            world.back_off(world.now + value)
        else:
            world.now -= value
        world.step()
    for window_id in {grant.window_id for grant in world.grants()}:
        on_their_way = SET_SECONDS * TERMS.capacity / TERMS.length
        assert world.granted(window_id) <= TERMS.capacity - TERMS.worker_reserve - on_their_way


SPACED = Terms("kraken|default|REQUESTS", 60, 60, None, 1, 3, 1, spaced=True)


def slots(world: World, seconds: float, tick: float = 0.1) -> list[tuple[float, BudgetGrantedV1]]:
    """Grants of a spaced budget and when they were given, while two workers always want some."""
    given: list[tuple[float, BudgetGrantedV1]] = []
    end = world.now + seconds
    while world.now < end:
        for who in (ME, YOU):
            world.wish(who, 5)
        written = world.step(replace(SPACED, budget=BUDGET))
        given += [(world.now, each) for each in written if isinstance(each, BudgetGrantedV1)]
        world.now += tick
    return given


def test_slots_of_a_spaced_budget_come_at_its_rate_although_the_allocator_looks_now_and_then():
    given = slots(World(), 300, tick=0.13)
    assert 300 <= len(given) <= 301
    assert {grant.weight for _, grant in given} == {1.0}


@given(tick=st.floats(0.02, 0.6), pauses=st.lists(st.floats(0.5, 20), max_size=5))
@settings(max_examples=30)
def test_a_counter_that_falls_by_one_a_second_never_rises_above_two(
    tick: float, pauses: list[float]
):
    world, height, at = World(), 0.0, 0.0
    given = slots(world, 20, tick)
    for pause in pauses:
        world.now += pause
        world.take_over()
        given += slots(world, 10, tick)
    for now, _ in given:
        height = max(0.0, height - (now - at)) + 1
        at = now
        assert height <= 2


def test_slots_come_again_after_the_clock_of_a_venue_was_an_hour_ahead():
    world = World(now=START + 3600)
    slots(world, 5)
    world.now = START
    assert len(slots(world, 10)) >= 10


def test_workers_of_a_spaced_budget_take_turns():
    given = slots(World(), 20)
    assert {grant.incarnation for _, grant in given[:2]} == {ME, YOU}
    counts = [sum(grant.incarnation == who for _, grant in given) for who in (ME, YOU)]
    assert abs(counts[0] - counts[1]) <= 2


def test_a_backoff_of_a_spaced_budget_is_waited_out():
    world = World()
    slots(world, 5)
    world.back_off(world.now + 30)
    begin = world.now
    given = slots(world, 40)
    assert given[0][0] >= begin + 30


def test_a_slot_may_be_used_by_who_knows_the_time_to_the_second():
    now, grant = slots(World(), 2)[0]
    assert grant.not_before.timestamp() <= now - 1
    assert grant.expires_at.timestamp() >= now + 2


def test_probes_of_a_spaced_budget_are_given_one_after_the_other():
    world, terms = World(), replace(SPACED, budget=BUDGET)
    given: list[float] = []
    for _ in range(40):
        for who in (ME, YOU, UUID(int=3), UUID(int=4)):
            world.wish(who, 1)
        account = Account(terms, world.book.page(BUDGET), world.demand, world.allocator)
        for event in account.probes(Moment(world.now, 0.0, world.now)):
            given.append(world.now)
            world.book.apply(event, len(world.ledger))
            world.ledger.append(event)
        world.now += 0.1
    assert len(given) == 4
    assert all(later - earlier >= 0.99 for earlier, later in pairwise(given))


def probed(world: World, terms: Terms, at: float) -> list[UUID]:
    """Who gets a probe then."""
    account = Account(terms, world.book.page(BUDGET), world.demand, world.allocator)
    given = account.probes(Moment(at, 0.0, world.now))
    for event in given:
        world.book.apply(event, len(world.ledger))
        world.ledger.append(event)
    return [event.incarnation for event in given if isinstance(event, BudgetGrantedV1)]


def test_a_probe_by_a_clock_that_is_ahead_holds_nobody_up():
    world, terms = World(), replace(SPACED, budget=BUDGET)
    world.wish(ME, 1)
    assert probed(world, terms, world.now + 90) == [ME]
    world.wish(YOU, 1)
    assert probed(world, terms, world.now) == [YOU]


def test_who_has_its_probe_keeps_none_from_others():
    world, terms = World(), replace(SPACED, budget=BUDGET)
    for who in (ME, YOU):
        world.wish(who, 1)
        assert probed(world, terms, world.now) == [who]
        world.now += 1
    world.wish(YOU, 1)
    assert probed(world, terms, world.now) == [YOU]


def test_probes_keep_to_the_ceiling_too():
    world, terms = World(), replace(SPACED, budget=BUDGET, ceiling=SPACED.capacity / 10)
    world.wish(ME, 1)
    world.wish(YOU, 1)
    spacing = 10 * terms.length / terms.capacity
    assert probed(world, terms, world.now) == [ME]
    assert probed(world, terms, world.now + 0.9 * spacing) == []
    assert probed(world, terms, world.now + spacing) == [YOU]
