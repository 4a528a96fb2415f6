"""How long the budget makes a job take."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from candlelog.events.limits import WindowOpenedV1
from status_api.domain.budgets import Budget, Outlook, outlook

NOW = datetime(2024, 2, 1, 0, 0, 15, tzinfo=UTC)


def budget(
    start: datetime, granted: float = 600.0, capacity: float = 3000.0, name: str = "binance|x|w"
) -> Budget:
    opened = WindowOpenedV1(
        budget=name, allocator=UUID(int=1), window_id=1, start=start,
        end=start + timedelta(minutes=1), opened_at=start, capacity=capacity, foreign=0.0,
        last_granted=0.0, last_used=0.0, demand_offset=0,
    )  # fmt: skip
    return Budget(window=opened, granted=granted)


@pytest.mark.parametrize(("weight", "seconds"), [(0, 0), (1200, 0), (1500, 0), (6000, 45)])
def test_what_the_window_at_hand_has_room_for_takes_no_time(weight: float, seconds: float):
    assert Outlook(6000, 60, elapsed=15, granted=0).seconds(weight) == seconds


def test_what_asks_for_nothing_takes_no_time_whatever_was_granted():
    assert Outlook(6000, 60, elapsed=10, granted=3000).seconds(0) == 0


def test_before_there_is_a_window_the_profile_counts():
    found = outlook({}, "binance", NOW)
    assert (found.capacity_per_minute, found.elapsed, found.granted) == (6000, 15, 0)


def test_all_egresses_at_work_count_and_no_other_exchange():
    minute = NOW.replace(second=0)
    budgets = {
        "binance|a|w": budget(minute),
        "binance|b|w": budget(minute - timedelta(minutes=3)),
        "binance|gone|w": budget(minute - timedelta(hours=1)),
        "binanceusdm|a|w": budget(minute),
    }
    found = outlook(budgets, "binance", NOW)
    assert (found.capacity, found.granted) == (6000, 600)


def test_a_spaced_budget_holds_nothing_back_for_who_comes_late_in_a_window():
    found = outlook({}, "kraken", NOW)
    assert (found.seconds(30), found.seconds(1)) == (30, 1)


def test_of_what_the_venue_says_is_used_the_newest_window_counts():
    binance = budget(NOW)
    binance.used = (1, 1500.0)
    assert (binance.used_now, binance.utilisation) == (1500.0, 0.5)
    binance.used = (0, 1500.0)
    assert (binance.used_now, binance.utilisation) == (None, 0.0)


def test_where_no_venue_says_what_is_used_it_is_what_was_granted():
    assert budget(NOW, granted=45.0, capacity=60.0, name="kraken|x|w").utilisation == 0.75
