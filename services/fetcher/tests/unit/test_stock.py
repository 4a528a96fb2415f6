"""What a worker may spend, and when."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from candlelog.events.limits import BudgetGrantedV1
from fetcher.domain.appetite import Appetite
from fetcher.domain.stock import Holding, Instant, Stock
from fetcher.domain.windows import moment, window_at

WINDOW = window_at(1_800_000_000, 60)
MIDDLE = WINDOW.start + 30


def grant(weight: float, window_id: int = WINDOW.id, demand_offset: int = 5) -> Holding:
    window = window_at(window_id * 60, 60) if window_id else WINDOW
    return Holding.of(
        BudgetGrantedV1(
            budget="binance|default|REQUEST_WEIGHT",
            allocator=UUID(int=9),
            window_id=window_id,
            incarnation=UUID(int=1),
            sequence=1,
            weight=weight,
            not_before=moment(window.not_before),
            expires_at=moment(window.expires_at),
            demand_offset=demand_offset,
        ),
        received_at=100.0,
    )


def at(exchange: float, uncertainty: float = 0.0, steady: float = 100.0) -> Instant:
    return Instant(steady, exchange - uncertainty, exchange + uncertainty)


def test_grants_of_one_window_add_up():
    stock = Stock()
    stock.add(grant(1.5))
    stock.add(grant(1.5))
    taken = stock.take(2, at(MIDDLE))
    assert taken is not None
    assert taken.weight == 2
    assert stock.held(at(MIDDLE)) == 1


def test_grants_of_different_windows_do_not():
    stock = Stock()
    stock.add(grant(1))
    stock.add(grant(1, WINDOW.id + 1))
    assert stock.take(2, at(MIDDLE)) is None


def test_what_was_granted_by_a_clock_that_was_ahead_is_not_held():
    stock = Stock()
    stock.add(grant(10, WINDOW.id + 60))
    assert stock.held(at(MIDDLE)) == 0


def test_weight_is_spent_only_while_every_possible_time_is_inside_the_window():
    stock = Stock()
    stock.add(grant(10))
    assert stock.take(1, at(WINDOW.start + 0.2, uncertainty=0.3)) is None
    assert stock.take(1, at(WINDOW.end - 0.5, uncertainty=0.3)) is None
    assert stock.take(1, at(WINDOW.end - 0.6, uncertainty=0.3)) is not None


def test_without_knowing_the_time_nothing_but_the_question_for_it_is_sent():
    stock = Stock()
    stock.add(grant(10))
    assert stock.take(1, Instant(101.0)) is None
    assert stock.take(1, Instant(101.0), for_time=True) is not None
    assert stock.take(1, Instant(110.0), for_time=True) is None


def test_a_probe_pays_for_nothing_but_the_question_for_the_time():
    stock = Stock()
    stock.add(grant(10, window_id=0))
    assert stock.take(1, at(MIDDLE)) is None
    assert stock.take(1, at(MIDDLE), for_time=True) is not None


def test_a_backoff_empties_the_stock_and_only_a_grant_that_knows_of_it_fills_it():
    stock = Stock()
    stock.add(grant(10))
    stock.halt(MIDDLE + 5)
    stock.add(grant(10, demand_offset=6))
    assert stock.held(at(MIDDLE)) == 0
    stock.halt(MIDDLE + 5, demand_offset=7)
    stock.add(grant(10, demand_offset=7))
    assert stock.held(at(MIDDLE)) == 0
    stock.add(grant(10, demand_offset=8))
    assert stock.held(at(MIDDLE)) == 10


def test_what_was_taken_before_a_backoff_may_not_be_spent_after_it():
    stock = Stock()
    stock.add(grant(10))
    taken = stock.take(2, at(MIDDLE))
    assert taken is not None
    assert stock.still_valid(taken, at(MIDDLE))
    stock.halt(MIDDLE + 1)
    assert not stock.still_valid(taken, at(MIDDLE))


def test_what_has_expired_is_thrown_away():
    stock = Stock()
    stock.add(grant(10))
    assert stock.held(at(WINDOW.end)) == 0


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_no_more_is_taken_than_was_granted(steps: list[tuple[int, int]]):
    stock, granted, taken = Stock(), 0.0, 0.0
    for put, get in steps:
        stock.add(grant(put))
        granted += put
        if (found := stock.take(get, at(MIDDLE))) is not None:
            taken += found.weight
    assert taken <= granted
    assert stock.held(at(MIDDLE)) == granted - taken


def test_one_who_waits_asks_at_once_and_again_only_later():
    appetite = Appetite(hoards=True)
    first = appetite.wish(10.0, waiting=2, held=0, spent=0, received=0)
    assert first == 4
    assert appetite.wish(10.1, waiting=2, held=0, spent=0, received=0) is None
    assert appetite.wish(11.2, waiting=2, held=0, spent=0, received=0) == 4


def test_a_busy_worker_asks_ahead_of_its_need():
    appetite = Appetite(hoards=True)
    appetite.wish(10.0, waiting=2, held=0, spent=0, received=0)
    wish = appetite.wish(11.0, waiting=0, held=0, spent=100, received=100)
    assert wish is not None
    assert wish >= 50


def test_a_worker_with_enough_in_hand_asks_for_nothing():
    appetite = Appetite(hoards=True)
    assert appetite.wish(10.0, waiting=0, held=50, spent=0, received=0) is None
