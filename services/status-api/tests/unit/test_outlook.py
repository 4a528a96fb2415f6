"""How long the budget makes a job take."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from candlelog.events.limits import WindowOpenedV1
from status_api.domain.budgets import Budget, Outlook, outlook

NOW = datetime(2024, 2, 1, 0, 0, 15, tzinfo=UTC)


def budget(start: datetime, granted: float = 600.0, capacity: float = 3000.0) -> Budget:
    opened = WindowOpenedV1(
        budget="binance|x|w", allocator=UUID(int=1), window_id=1, start=start,
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
