"""Exchange time from a few questions, and what a jump of this machine's clock does to it."""

from datetime import UTC, datetime

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
