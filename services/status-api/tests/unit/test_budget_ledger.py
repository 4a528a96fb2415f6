"""What is shown of a budget, from the ledger."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from candlelog.clock import ManualClock
from candlelog.events.limits import (
    BackoffDeclaredV1,
    BudgetGrantedV1,
    UsageObservedV1,
    WindowOpenedV1,
)
from candlelog.market.ledger import PROBE_WINDOW
from status_api.domain.budgets import Ledger
from status_api.handlers.limits import list_limits

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


def backed_off(seconds: int) -> BackoffDeclaredV1:
    return BackoffDeclaredV1(
        budget=BUDGET, allocator=ME, until=NOW + timedelta(seconds=seconds), reason="429",
        demand_offset=0,
    )  # fmt: skip


async def shown_of(ledger: Ledger, clock: ManualClock) -> dict[str, Any]:
    """The one budget there is, as `GET /limits` answers it."""
    context: Any = SimpleNamespace(clock=clock, ledger=ledger)
    [found] = json.loads((await list_limits(context)).body)["items"]
    return found


async def test_until_when_a_venue_said_stop_is_shown_while_that_lasts():
    ledger, clock = Ledger(), ManualClock(NOW)
    ledger.read(opened(0))
    ledger.read(backed_off(60))
    until = []
    for seconds in (0, 59, 1):
        clock.advance(seconds)
        until.append((await shown_of(ledger, clock))["backoff_until"])
    assert until == ["2024-02-01T00:01:00Z", "2024-02-01T00:01:00Z", None]


async def test_a_venue_that_said_stop_before_any_window_is_shown():
    ledger = Ledger()
    ledger.read(backed_off(60))
    shown = await shown_of(ledger, ManualClock(NOW))
    assert (shown["capacity"], shown["backoff_until"]) == (None, "2024-02-01T00:01:00Z")


@pytest.mark.parametrize("order", [(120, 60), (60, 120)])
async def test_of_two_times_to_stop_until_the_later_is_shown(order: tuple[int, int]):
    ledger = Ledger()
    for seconds in order:
        ledger.read(backed_off(seconds))
    shown = await shown_of(ledger, ManualClock(NOW))
    assert shown["backoff_until"] == "2024-02-01T00:02:00Z"


async def test_a_window_that_opens_says_of_a_stop_that_lasts():
    ledger = Ledger()
    until = NOW + timedelta(minutes=5)
    ledger.read(opened(0).model_copy(update={"backoff_until": until}))
    shown = await shown_of(ledger, ManualClock(NOW))
    assert shown["backoff_until"] == "2024-02-01T00:05:00Z"


def test_after_a_clock_that_was_ahead_the_window_of_now_is_shown():
    ledger = Ledger()
    for event in (opened(60), granted(60), used(60, 10), opened(1), granted(1), used(1, 6)):
        ledger.read(event)
    shown = ledger.budgets[BUDGET]
    assert shown.window is not None
    assert (shown.window.window_id, shown.granted, shown.used) == (1, 10.0, (1, 6))


async def test_a_probe_is_shown_as_granted_in_its_window_and_the_next():
    ledger = Ledger()
    for event in (opened(1), granted(PROBE_WINDOW)):
        ledger.read(event)
    weights = [(await shown_of(ledger, ManualClock(NOW)))["granted"]]
    for window_id in (2, 3):
        ledger.read(opened(window_id))
        weights.append((await shown_of(ledger, ManualClock(NOW)))["granted"])
    assert weights == [10.0, 10.0, 0.0]


async def test_a_window_entered_again_is_shown_with_what_was_granted_of_it_before():
    ledger = Ledger()
    for event in (opened(1), granted(1), opened(2), granted(2), granted(2), opened(1), granted(1)):
        ledger.read(event)
    shown = await shown_of(ledger, ManualClock(NOW))
    assert (shown["window"]["id"], shown["granted"]) == (1, 20.0)
