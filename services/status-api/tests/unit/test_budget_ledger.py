"""What is shown of a budget, from the ledger."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from candlelog.events.limits import BudgetGrantedV1, UsageObservedV1, WindowOpenedV1
from status_api.domain.budgets import Ledger

NOW = datetime(2024, 2, 1, tzinfo=UTC)
BUDGET, ME = "binance|default|REQUEST_WEIGHT", UUID(int=1)


def opened(window_id: int) -> WindowOpenedV1:
    start = NOW + timedelta(minutes=window_id)
    return WindowOpenedV1(
        budget=BUDGET, allocator=ME, window_id=window_id, start=start,
        end=start + timedelta(minutes=1), opened_at=start, capacity=6000.0, foreign=0.0,
        last_granted=0.0, last_used=0.0, demand_offset=0,
    )  # fmt: skip


def granted(window_id: int) -> BudgetGrantedV1:
    return BudgetGrantedV1(
        budget=BUDGET, allocator=ME, window_id=window_id, incarnation=ME, sequence=1, weight=10.0,
        not_before=NOW, expires_at=NOW, demand_offset=0,
    )  # fmt: skip


def used(window_id: int, weight: float) -> UsageObservedV1:
    return UsageObservedV1(
        budget=BUDGET, incarnation=ME, window_id=window_id, used=weight, spent_by_us=weight,
        observed_at=NOW,
    )  # fmt: skip


def test_after_a_clock_that_was_ahead_the_window_of_now_is_shown():
    ledger = Ledger()
    for event in (opened(60), granted(60), used(60, 10), opened(0), granted(0), used(0, 6)):
        ledger.read(event)
    shown = ledger.budgets[BUDGET]
    assert shown.window is not None
    assert (shown.window.window_id, shown.granted, shown.used) == (0, 10.0, (0, 6))
