"""The mathematics of granting, one piece at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetcher.domain.pacing import LEAD, Limits, Standing, allowance
from fetcher.domain.sharing import share
from fetcher.domain.windows import window_at

LIMITS = Limits(stated=6000, capacity=6000, length=60, reserve=8, probe=22)
WINDOW = window_at(1_800_000_000, 60)

weights = st.floats(0, 20_000)


@given(
    granted=weights,
    foreign=weights,
    rate=st.floats(0, 200),
    now=st.floats(WINDOW.start - 5, WINDOW.end + 5),
    backoff=st.floats(WINDOW.start - 100, WINDOW.end + 100),
)
def test_what_is_granted_and_what_others_used_stays_within_the_capacity(
    granted: float, foreign: float, rate: float, now: float, backoff: float
):
    standing = Standing(granted, foreign, rate, backoff_until=backoff)
    more = allowance(LIMITS, WINDOW, standing, now)
    assert more == 0 or granted + more + foreign <= LIMITS.capacity - LIMITS.reserve + 1e-6


@given(st.floats(WINDOW.start - 5, WINDOW.end + 5), st.floats(WINDOW.start, WINDOW.end + 100))
def test_nothing_is_granted_before_a_backoff_is_over(now: float, backoff: float):
    if now < backoff:
        assert allowance(LIMITS, WINDOW, Standing(0, backoff_until=backoff), now) == 0


def test_all_that_is_left_is_granted_in_time_to_be_spent():
    spent_up = allowance(LIMITS, WINDOW, Standing(0), WINDOW.expires_at - 1.5)
    assert spent_up == LIMITS.capacity - LIMITS.reserve


def test_the_pace_leads_by_a_moment_at_the_start_of_the_window():
    at_the_start = allowance(LIMITS, WINDOW, Standing(0), WINDOW.start)
    assert at_the_start == pytest.approx(LIMITS.capacity / 60 * LEAD, rel=0.05)


def test_nothing_is_granted_so_late_that_it_could_not_be_spent():
    assert allowance(LIMITS, WINDOW, Standing(0), WINDOW.expires_at - 0.1) == 0


def test_while_nobody_knows_what_others_used_only_a_probe_is_granted():
    middle = WINDOW.start + 30
    unknown = Standing(0, unobserved_since=middle)
    assert allowance(LIMITS, WINDOW, unknown, middle) == LIMITS.probe
    assert allowance(LIMITS, WINDOW, unknown, middle + 6) == 2 * LIMITS.probe


@pytest.mark.parametrize(("foreign", "ours"), [(0, 992), (4800, 992), (5500, 492)])
def test_what_others_use_lowers_a_ceiling_only_where_the_venue_has_no_more(
    foreign: float, ours: float
):
    ceiling = Limits(stated=6000, capacity=1000, length=60, reserve=8, probe=22)
    assert allowance(ceiling, WINDOW, Standing(0, foreign), WINDOW.expires_at - 1.5) == ours


def test_foreign_use_to_come_is_kept_free():
    quiet = allowance(LIMITS, WINDOW, Standing(0), WINDOW.start + 30)
    busy = allowance(LIMITS, WINDOW, Standing(0, 990, 33), WINDOW.start + 30)
    assert busy / quiet == pytest.approx((6000 - 8 - 990 - 33 * 30) / (6000 - 8), rel=1e-6)


def test_after_a_backoff_the_pace_rises_from_nothing():
    over = WINDOW.start + 10
    first = allowance(LIMITS, WINDOW, Standing(0, backoff_until=over), over + 0.5)
    normal = allowance(LIMITS, WINDOW, Standing(0), over + 0.5)
    assert first < normal / 50


def test_a_backoff_that_is_over_sets_the_pace_in_its_window_still():
    over = WINDOW.start + 10
    in_force = allowance(LIMITS, WINDOW, Standing(0, backoff_until=over), over + 0.5)
    assert allowance(LIMITS, WINDOW, Standing(0, resumed_at=over), over + 0.5) == in_force


def test_the_end_of_a_backoff_from_before_the_clock_was_set_back_sets_no_pace():
    now = WINDOW.start + 10
    normal = allowance(LIMITS, WINDOW, Standing(0), now)
    assert allowance(LIMITS, WINDOW, Standing(0, resumed_at=now + 3600), now) == normal


wants = st.dictionaries(st.integers(0, 20), st.floats(0, 500), max_size=10)


@given(amount=st.floats(0, 3000), wants=wants, turn=st.integers(0, 1000))
def test_shares_are_whole_wanted_and_within_the_amount(
    amount: float, wants: dict[int, float], turn: int
):
    given_ = share(amount, wants, turn=turn)
    assert sum(given_.values()) <= amount + 1e-9
    assert all(0 < weight <= wants[who] for who, weight in given_.items())


@given(amount=st.integers(0, 3000), wants=st.lists(st.integers(1, 500), min_size=1, max_size=8))
def test_nobody_goes_short_for_somebody_who_gets_more(amount: int, wants: list[int]):
    given_ = share(amount, dict(enumerate(wants)))
    most = max(given_.values(), default=0)
    for who, want in enumerate(wants):
        assert given_.get(who, 0) >= min(want, most - 1)
    assert sum(given_.values()) == min(amount, sum(wants))


def test_what_cannot_be_split_goes_round():
    assert share(1, {"a": 5, "b": 5}, turn=0) == {"a": 1}
    assert share(1, {"a": 5, "b": 5}, turn=1) == {"b": 1}
