"""Exchange time from a few questions, and what a jump of this machine's clock does to it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.clock import ManualClock
from fetcher.domain.venue_time import TimeOffset, TimeReading
from fetcher.limits.venue_time import VenueTime


@given(
    offset=st.floats(-1e6, 1e6),
    trips=st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2), st.floats(0, 60)), min_size=1),
)
def test_the_true_time_lies_within_the_bounds_however_long_answers_travelled(
    offset: float, trips: list[tuple[float, float, float]]
):
    steady, known = 1000.0, None
    for there, back, pause in trips:
        sent, received = steady, steady + there + back
        server = round(sent + there + offset, 3)
        newer = TimeOffset.of(TimeReading(sent, received, server - 0.0005))
        known = newer if known is None else known.refined(newer)
        steady = received + pause
        assert known.at(steady).low - 0.001 <= offset <= known.at(steady).high + 0.001


def test_answers_that_contradict_mean_that_the_venue_set_its_clock():
    before = TimeOffset.of(TimeReading(10, 10.1, 500))
    after = TimeOffset.of(TimeReading(20, 20.1, 540))
    assert before.refined(after) == after


def _time(clock: ManualClock) -> VenueTime:
    time = VenueTime(clock, 0.001)
    time.learn(TimeReading(clock.monotonic(), clock.monotonic(), clock.now().timestamp() + 90))
    return time


def test_a_venue_ahead_of_us_is_believed():
    clock = ManualClock(datetime(2024, 2, 1, tzinfo=UTC))
    now = _time(clock).instant()
    assert now.earliest is not None
    assert abs(now.earliest - clock.now().timestamp() - 90) < 0.01


def test_exchange_time_is_unknown_after_this_machine_slept():
    clock = ManualClock(datetime(2024, 2, 1, tzinfo=UTC))
    time = _time(clock)
    asleep = ManualClock(datetime(2024, 2, 1, 1, tzinfo=UTC))
    time._clock = asleep  # wall time went on, the steady clock did not
    assert not time.known


def test_who_asked_for_nothing_for_hours_asks_for_the_time_first():
    clock = ManualClock(datetime(2024, 2, 1, tzinfo=UTC))
    time = _time(clock)
    clock.advance(3601)
    assert not time.known


def test_a_venue_is_asked_again_after_a_while():
    clock = ManualClock(datetime(2024, 2, 1, tzinfo=UTC))
    time = _time(clock)
    assert not time.stale
    clock.advance(31)
    assert time.stale
    assert time.known


class Dated:
    """A venue that is asked for its time once, and whose every answer has a date.

    It answers within `trip` seconds; `ahead` is how far its clock is ahead of ours.
    """

    def __init__(self, trip: float = 0.05) -> None:
        self.clock = ManualClock(datetime(2024, 2, 1, tzinfo=UTC))
        self.time = VenueTime(self.clock, 0.001)
        self.ahead = 0.0
        self._trip = trip
        self.ask()

    def ask(self) -> None:
        asked = self.reading()
        self.time.glimpse(_date(asked))
        self.time.learn(asked)

    def answer(self) -> None:
        self.time.glimpse(_date(self.reading()))

    def reading(self) -> TimeReading:
        sent = self.clock.monotonic()
        server = self.clock.now().timestamp() + self.ahead + self._trip / 2
        self.clock.advance(self._trip)
        return TimeReading(sent, self.clock.monotonic(), server // 0.001 * 0.001)

    def go_on(self, answers: int) -> None:
        for _ in range(answers):
            self.answer()
            self.clock.advance(0.13)


def _date(reading: TimeReading) -> TimeReading:
    return replace(reading, server=reading.server // 1, resolution=1.0)


@given(trip=st.floats(0.001, 0.4), answers=st.integers(1, 50))
def test_dates_of_a_venue_whose_clock_is_right_contradict_nothing(trip: float, answers: int):
    venue = Dated(trip)
    venue.go_on(answers)
    assert venue.time.known


@pytest.mark.parametrize("step", [-90.0, -2.0, 2.0, 90.0])
def test_the_first_answer_after_a_venue_set_its_clock_tells_of_it(step: float):
    venue = Dated()
    venue.go_on(20)
    venue.ahead = step
    venue.answer()
    assert not venue.time.known


def test_a_venue_that_set_its_clock_is_believed_once_it_was_asked_again():
    venue = Dated()
    venue.go_on(20)
    venue.ahead = -2.0
    venue.answer()
    venue.ask()
    venue.go_on(20)
    now = venue.time.instant()
    assert now.earliest is not None
    assert abs(now.earliest - venue.clock.now().timestamp() + 2) < 0.1


@pytest.mark.parametrize("step", [-1.0, -0.7, 0.7, 1.0])
def test_answers_of_a_second_tell_of_a_smaller_step(step: float):
    venue = Dated()
    venue.go_on(20)
    venue.ahead = step
    venue.go_on(8)
    assert not venue.time.known


def test_a_venue_that_sets_its_clock_while_nobody_asks_is_asked_once():
    venue = Dated()
    venue.clock.advance(100)
    venue.ahead = -2.0
    venue.ask()
    assert venue.time.known


def test_a_time_that_was_asked_for_before_the_clock_was_set_tells_nothing():
    venue = Dated()
    before = venue.reading()
    venue.ahead = -2.0
    late = replace(before, received=before.received + 1)
    venue.answer()
    venue.time.learn(late)
    assert not venue.time.known


@pytest.mark.parametrize(
    "tell",
    [
        lambda venue: (venue.answer(), venue.ask()),
        lambda venue: venue.time.learn(venue.reading()),
    ],
    ids=["told by a date", "told by the time itself"],
)
def test_when_something_was_sent_before_the_clock_was_set_is_not_known(
    tell: Callable[[Dated], object],
):
    venue = Dated()
    sent = venue.clock.monotonic()
    venue.ahead = 90.0
    tell(venue)
    assert venue.time.instant_at(sent).earliest is None


@pytest.mark.parametrize("step", [-2.0, 2.0])
def test_dates_are_heeded_after_a_step_however_long_the_answer_about_the_time_took(step: float):
    venue = Dated()
    venue.ahead = step
    venue.answer()
    asked = venue.reading()
    venue.clock.advance(5)
    venue.time.learn(replace(asked, received=venue.clock.monotonic()))
    assert venue.time.heeds_dates


def test_dates_a_little_beside_the_time_are_heeded_after_a_step():
    venue = Dated()
    venue.ahead = -2.0
    venue.answer()
    venue.ahead = -2.2
    venue.ask()
    assert venue.time.heeds_dates


def test_a_time_that_was_told_before_this_machine_slept_is_not_believed():
    venue = Dated()
    told = venue.reading()
    asleep = ManualClock(venue.clock.now() + timedelta(hours=1))
    asleep.advance(venue.clock.monotonic() - asleep.monotonic() + 0.001)
    venue.time._clock = asleep
    venue.time.learn(told)
    assert not venue.time.known


def test_dates_that_follow_another_clock_than_the_time_are_not_heeded_any_more():
    venue = Dated()
    venue.go_on(20)
    venue.ahead = 5.0  # somebody else answers, whose clock is wrong
    venue.answer()
    venue.ahead = 0.0
    venue.ask()
    assert not venue.time.heeds_dates
