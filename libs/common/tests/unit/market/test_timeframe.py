"""The grid of open times."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.errors import Invalid
from candlelog.market.timeframe import TIMEFRAMES, Timeframe, from_milliseconds, milliseconds

times = st.datetimes(
    datetime(2009, 1, 1),  # noqa: DTZ001 -- the strategy adds UTC
    datetime(2035, 1, 1),  # noqa: DTZ001 -- the strategy adds UTC
    timezones=st.just(UTC),
)
timeframes = st.sampled_from(TIMEFRAMES).map(Timeframe.parse)


@given(timeframes, times)
def test_floor_is_the_newest_open_time_not_after_a_moment(timeframe: Timeframe, time: datetime):
    floor = timeframe.floor(time)
    assert floor <= time < timeframe.advance(floor, 1)


@given(timeframes, times)
def test_ceil_is_the_oldest_open_time_not_before_a_moment(timeframe: Timeframe, time: datetime):
    ceil = timeframe.ceil(time)
    assert timeframe.advance(ceil, -1) < time <= ceil


@given(timeframes, times, st.integers(0, 2000))
def test_count_and_open_times_agree(timeframe: Timeframe, start: datetime, steps: int):
    end = timeframe.advance(timeframe.ceil(start), steps)
    open_times = timeframe.open_times_ms(start, end)
    assert timeframe.count(start, end) == len(open_times) == steps


@given(timeframes, times, st.integers(1, 500))
def test_open_times_increase_and_lie_on_the_grid(timeframe: Timeframe, start: datetime, steps: int):
    end = timeframe.advance(timeframe.ceil(start), steps)
    open_times = timeframe.open_times_ms(start, end)
    assert np.all(np.diff(open_times) > 0)
    assert all(
        timeframe.floor(from_milliseconds(int(t))) == from_milliseconds(int(t))
        for t in open_times[:3]
    )


def test_weeks_begin_on_monday():
    assert Timeframe.parse("1w").floor(datetime(2024, 2, 29, tzinfo=UTC)).weekday() == 0


def test_months_are_stepped_by_the_calendar():
    january = datetime(2024, 1, 1, tzinfo=UTC)
    assert Timeframe.parse("1M").advance(january, 14) == datetime(2025, 3, 1, tzinfo=UTC)


def test_months_begin_in_utc_whatever_the_zone_of_the_moment():
    east = datetime(2024, 3, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert Timeframe.parse("1M").floor(east) == datetime(2024, 2, 1, tzinfo=UTC)


def test_an_empty_range_has_no_slot():
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    assert (
        Timeframe.parse("1h").count(moment + timedelta(minutes=1), moment + timedelta(minutes=59))
        == 0
    )


def test_an_unknown_timeframe_is_refused_with_its_nearest_names():
    with pytest.raises(Invalid, match=r"did you mean .*1m"):
        Timeframe.parse("1min")


@given(times)
def test_milliseconds_round_down(time: datetime):
    assert from_milliseconds(milliseconds(time)) == time.replace(
        microsecond=time.microsecond // 1000 * 1000
    )


@given(timeframes, times, st.integers(-500, 500))
def test_slots_are_numbered_in_steps_of_one(timeframe: Timeframe, time: datetime, steps: int):
    number = timeframe.number(time)
    assert timeframe.number(timeframe.floor(time)) == number
    assert timeframe.number(timeframe.advance(timeframe.floor(time), steps)) == number + steps
