"""Waiting for weight, and spending it."""

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime
from uuid import UUID

import pytest

from candlelog.clock import ManualClock
from candlelog.events.limits import (
    BackoffObservedV1,
    BudgetGrantedV1,
    BudgetRequestedV1,
    UsageObservedV1,
)
from fetcher.domain.failures import BackingOff, GrantLapsed, NoBudget
from fetcher.domain.venue_time import TimeReading
from fetcher.domain.windows import moment, seconds, window_at
from fetcher.limits import purse as purse_module
from fetcher.limits.purse import Permit, Purse
from fetcher.limits.statements import Spender
from fetcher.limits.venue_time import VenueTime
from fetcher.ports import Answer

ME = UUID(int=1)
BUDGET = "binance|default|REQUEST_WEIGHT"


class Bench:
    """A purse with a clock that the test moves; the venue's clock is right."""

    def __init__(self, *, resolution: float = 0.001) -> None:
        self.clock = ManualClock(datetime(2024, 2, 1, 0, 0, 30, tzinfo=UTC))
        self.resolution = resolution
        self.time = VenueTime(self.clock, resolution)
        self.woken = self.urgent = 0
        self.purse = Purse(Spender(BUDGET, 60, ME), self.time, self.clock, self._wake)
        self.learn()

    def learn(self, behind: float = 0.0) -> None:
        """Ask the venue for its time; `behind`, its clock is wrong by so many seconds."""
        steady, now = self.clock.monotonic(), self.clock.now().timestamp() - behind
        self.time.learn(TimeReading(steady, steady, now, self.resolution))

    def grant(self, weight: float, demand_offset: int = 1) -> None:
        window = window_at(self.clock.now().timestamp(), 60)
        self.purse.granted(
            BudgetGrantedV1(
                budget=BUDGET,
                allocator=UUID(int=9),
                window_id=window.id,
                incarnation=ME,
                sequence=1,
                weight=weight,
                not_before=moment(window.not_before),
                expires_at=moment(window.expires_at),
                demand_offset=demand_offset,
            )
        )

    def _wake(self, *, urgent: bool = False) -> None:
        self.woken += 1
        self.urgent += urgent


async def _settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def _asking(behind: float = 90) -> tuple[Bench, asyncio.Task[Permit]]:
    """Who knows the time from before the venue set its clock, and asks for it as a grant comes."""
    bench = Bench()
    bench.learn(behind)
    bench.clock.advance(6)
    question = asyncio.create_task(bench.purse.acquire(1, for_time=True))
    await _settle()
    bench.grant(5)
    return bench, question


async def test_a_request_waits_until_its_weight_is_granted():
    bench = Bench()
    waiting = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    assert (waiting.done(), bench.woken) == (False, 1)
    bench.grant(2)
    permit = await waiting
    permit.use()


async def test_requests_are_served_in_the_order_in_which_they_came():
    bench = Bench()
    large = asyncio.create_task(bench.purse.acquire(20))
    await _settle()
    small = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    bench.grant(10)
    await _settle()
    assert (large.done(), small.done()) == (False, False)
    bench.grant(12)
    await asyncio.gather(large, small)


async def test_a_permit_is_good_for_one_request():
    bench = Bench()
    bench.grant(2)
    permit = await bench.purse.acquire(2)
    permit.use()
    with pytest.raises(GrantLapsed):
        permit.use()


async def test_a_permit_is_worth_nothing_while_the_ledger_says_to_wait():
    bench = Bench()
    bench.clock.advance(3601)  # the time is forgotten
    bench.grant(1)
    permit = await bench.purse.acquire(1, for_time=True)
    bench.purse.told_to_wait(bench.clock.now().timestamp() + 10)
    with pytest.raises(GrantLapsed):
        permit.use()


async def test_a_permit_that_was_not_used_goes_back():
    bench = Bench()
    bench.grant(2)
    (await bench.purse.acquire(2)).close()
    (await bench.purse.acquire(2)).use()


async def test_a_permit_kept_over_the_end_of_its_window_is_worth_nothing():
    bench = Bench()
    bench.grant(2)
    permit = await bench.purse.acquire(2)
    bench.clock.advance(29.8)
    with pytest.raises(GrantLapsed):
        permit.use()


async def test_whoever_waits_is_turned_away_when_somebody_sees_a_backoff():
    bench = Bench()
    waiting = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    until = bench.clock.now().timestamp() + 60
    bench.purse.told_to_back_off(until, offset=7)
    with pytest.raises(BackingOff) as refusal:
        await waiting
    assert refusal.value.seconds == pytest.approx(60, abs=0.1)
    with pytest.raises(BackingOff):
        await bench.purse.acquire(2)


async def test_a_backoff_that_the_ledger_repeats_turns_away_and_drops_no_grant():
    bench = Bench()
    bench.grant(2, demand_offset=7)
    bench.purse.told_to_wait(bench.clock.now().timestamp() + 10)
    with pytest.raises(BackingOff):
        await bench.purse.acquire(2)
    bench.clock.advance(11)
    bench.learn()
    (await bench.purse.acquire(2)).use()


async def test_after_a_backoff_only_a_grant_that_knows_of_it_counts():
    bench = Bench()
    bench.purse.back_off(10, "429")
    [sighting] = [event for event in bench.purse.reports(0) if isinstance(event, BackoffObservedV1)]
    bench.purse.told_to_back_off(seconds(sighting.until), offset=7)
    bench.clock.advance(11)
    bench.learn()
    waiting = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    bench.grant(2, demand_offset=7)
    await _settle()
    assert not waiting.done()
    bench.grant(2, demand_offset=8)
    (await waiting).use()


async def test_a_backoff_that_is_over_stays_over_when_the_venues_clock_is_set_back():
    bench = Bench()
    bench.purse.told_to_back_off(bench.clock.now().timestamp() + 10, offset=7)
    bench.clock.advance(11)
    waiting = [asyncio.create_task(bench.purse.acquire(2))]
    await _settle()
    bench.learn(behind=3600)
    waiting.append(asyncio.create_task(bench.purse.acquire(2)))
    await _settle()
    assert [each.done() for each in waiting] == [False, False]
    for each in waiting:
        each.cancel()


async def test_a_backoff_of_others_counts_once_a_clock_that_was_ahead_is_right():
    bench = Bench()
    bench.learn(behind=-3600)
    bench.purse.told_to_back_off(bench.clock.now().timestamp() + 60, offset=7)
    bench.learn()
    with pytest.raises(BackingOff):
        await bench.purse.acquire(2)


def told_until(bench: Bench) -> float:
    [sighting] = [each for each in bench.purse.reports(0) if isinstance(each, BackoffObservedV1)]
    return seconds(sighting.until)


async def test_a_backoff_lasts_for_those_who_know_the_time_better_too():
    bench = Bench(resolution=1.0)
    bench.purse.back_off(10, "429")
    assert told_until(bench) == bench.clock.now().timestamp() + 1 + 10


async def test_a_backoff_is_told_at_once():
    bench = Bench()
    bench.purse.back_off(10, "429")
    assert bench.urgent == 1


async def test_an_answer_that_was_long_on_its_way_takes_the_place_of_no_newer_count():
    bench = Bench()
    for window, used in ((8, 5900.0), (9, 40.0), (8, 5950.0)):
        bench.purse.observe(window, used)
    [told] = [each for each in bench.purse.reports(0) if isinstance(each, UsageObservedV1)]
    assert (told.window_id, told.used) == (9, 40.0)


async def test_a_backoff_that_could_not_be_told_is_told_again():
    bench = Bench()
    bench.purse.back_off(10, "429")
    reports = bench.purse.reports(0)
    bench.purse.statements.put_back(reports)
    assert any(isinstance(event, BackoffObservedV1) for event in bench.purse.reports(0))


async def test_a_request_that_gets_nothing_for_long_gives_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(purse_module, "PATIENCE", 0.01)
    bench = Bench()
    with pytest.raises(NoBudget):
        await bench.purse.acquire(2)
    assert bench.purse.reports(0) == [], "nobody waits, so nothing is wished for"


async def test_a_cancelled_request_leaves_its_weight_to_others():
    bench = Bench()
    waiting = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    bench.grant(2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (await bench.purse.acquire(2)).use()


async def test_the_question_for_the_time_goes_first_and_lets_the_others_through():
    bench = Bench()
    bench.time = bench.purse.time = VenueTime(bench.clock, 0.001)
    candles = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    question = asyncio.create_task(bench.purse.acquire(1, for_time=True))
    await _settle()
    bench.grant(5)
    (await question).use()
    assert not candles.done()
    steady = bench.clock.monotonic()
    bench.purse.learn_time(TimeReading(steady, steady, bench.clock.now().timestamp()), used=1)
    (await candles).use()
    usage = [event for event in bench.purse.reports(0) if isinstance(event, UsageObservedV1)]
    assert [(event.used, event.spent_by_us) for event in usage] == [(1, 3)]


@pytest.mark.parametrize("behind", [-90, 90])
async def test_whoever_knows_the_time_from_before_the_venue_set_its_clock_may_ask_for_it(
    behind: float,
):
    _, question = await _asking(behind)
    async with asyncio.timeout(1):
        (await question).use()


@pytest.mark.parametrize(("after", "lapsed"), [(2, False), (4, True)])
async def test_a_grant_of_another_time_pays_no_question_that_comes_late(after: float, lapsed: bool):
    bench, question = await _asking()
    permit = await question
    bench.clock.advance(after)
    with pytest.raises(GrantLapsed) if lapsed else nullcontext():
        permit.use()


async def test_a_grant_of_another_time_pays_for_no_candles():
    bench = Bench()
    bench.learn(90)
    bench.clock.advance(6)
    candles = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    bench.grant(5)
    await _settle()
    assert not candles.done()
    candles.cancel()


async def test_the_question_for_a_time_that_is_old_is_paid_from_what_is_in_hand():
    bench = Bench()
    bench.clock.advance(30.1)
    bench.grant(5)
    bench.clock.advance(5)
    assert bench.time.stale
    async with asyncio.timeout(1):
        (await bench.purse.acquire(1, for_time=True)).use()


async def test_those_behind_a_question_that_is_given_up_are_served():
    bench = Bench()
    bench.learn(90)
    bench.clock.advance(6)
    question = asyncio.create_task(bench.purse.acquire(9, for_time=True))
    candles = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    bench.learn()
    bench.grant(5)
    question.cancel()
    async with asyncio.timeout(1):
        (await candles).use()


@pytest.mark.parametrize(("since", "doubted"), [(4, False), (6, True)])
async def test_a_grant_of_another_time_has_it_asked_for_again_unless_that_was_just_done(
    since: float, doubted: bool
):
    bench = Bench()
    bench.learn(90)
    bench.clock.advance(since)
    bench.grant(5)
    assert (bench.time.known, bench.time.stale) == (True, doubted)


async def test_a_question_paid_from_another_window_counts_in_that_of_its_answer():
    bench, question = await _asking()
    (await question).use()
    steady, now = bench.clock.monotonic(), bench.clock.now().timestamp() + 60
    bench.purse.learn_time(TimeReading(steady, steady, now), used=1)
    usage = [event for event in bench.purse.reports(0) if isinstance(event, UsageObservedV1)]
    assert [(event.window_id, event.spent_by_us) for event in usage] == [(window_at(now, 60).id, 1)]


async def test_who_learns_the_right_time_waits_for_no_window_of_the_wrong_one():
    bench = Bench()
    bench.learn(90)
    bench.clock.advance(29.98)
    candles = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    bench.grant(5)  # by the wrong time of a window that begins in half a minute and more
    bench.learn()
    bench.clock.advance(0.05)
    bench.grant(5)
    await _settle()
    assert not candles.done()
    bench.clock.advance(0.1)
    async with asyncio.timeout(1):
        (await candles).use()


async def test_a_grant_that_can_be_spent_says_nothing_against_the_time():
    bench = Bench()
    bench.clock.advance(6)
    bench.grant(5)
    assert not bench.time.stale


@pytest.mark.parametrize(("behind", "counted"), [(0, [40]), (31, [])])
async def test_what_a_venue_counted_belongs_to_the_window_its_answer_is_dated_in(
    behind: float, counted: list[float]
):
    bench = Bench()
    steady, now = bench.clock.monotonic(), bench.clock.now().timestamp()
    answer = Answer(None, steady, steady, used=40, date=now - behind)
    bench.purse.heed(answer, window_at(now, 60).id)
    usage = [event for event in bench.purse.reports(0) if isinstance(event, UsageObservedV1)]
    assert [event.used for event in usage] == counted


async def test_dates_of_a_venue_whose_answers_share_no_clock_decide_nothing():
    bench = Bench()
    bench.time.heeds_dates = False
    steady, now = bench.clock.monotonic(), bench.clock.now().timestamp()
    answer = Answer(None, steady, steady, used=40, date=now - 31)
    bench.purse.heed(answer, window_at(now, 60).id)
    usage = [event for event in bench.purse.reports(0) if isinstance(event, UsageObservedV1)]
    assert (bench.time.known, [event.used for event in usage]) == (True, [40])


async def test_what_is_granted_for_a_window_to_come_is_spent_when_it_begins():
    bench = Bench()
    bench.clock.advance(30.04)
    bench.learn()
    bench.grant(2)
    waiting = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    assert not waiting.done()
    bench.clock.advance(0.1)
    async with asyncio.timeout(1):
        (await waiting).use()


async def test_a_wish_names_the_ledger_position_it_was_made_at():
    bench = Bench()
    waiting = asyncio.create_task(bench.purse.acquire(2))
    await _settle()
    [wish] = bench.purse.reports(41)
    assert isinstance(wish, BudgetRequestedV1)
    assert (wish.ledger_position, wish.weight) == (41, 4)
    waiting.cancel()


async def test_what_is_in_hand_is_not_spent_while_an_own_backoff_lasts_whatever_is_read_meanwhile():
    bench = Bench()
    bench.grant(2, demand_offset=9)
    permit = await bench.purse.acquire(2)
    bench.purse.back_off(30, "429")
    bench.purse.told_to_back_off(bench.clock.now().timestamp(), offset=3)
    with pytest.raises(GrantLapsed):
        permit.use()


async def test_a_limit_from_before_a_refusal_of_anybody_is_not_stated_again():
    bench = Bench()
    bench.purse.state_capacity(6000)
    bench.purse.told_to_back_off(0.0, 1)
    bench.purse.observe(1, 10)
    [usage] = [event for event in bench.purse.reports(0) if isinstance(event, UsageObservedV1)]
    assert usage.capacity is None
