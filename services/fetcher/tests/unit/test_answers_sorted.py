"""Every kind of answer, and what it means."""

import pytest

from fetcher.domain.answers import failure_of
from fetcher.domain.failures import Away, Permanent, RateLimited, Transient
from fetcher.domain.outages import FIRST_SECONDS, Admission, Outage

TABLE = [
    (429, {"retry-after": "7"}, RateLimited, 7.0),
    (429, {}, RateLimited, 60.0),
    (429, {"retry-after": "0"}, RateLimited, 1.0),
    (429, {"retry-after": "soon"}, RateLimited, 60.0),
    (429, {"retry-after": "1700000000000"}, RateLimited, 259_200.0),
    (418, {"retry-after": "300"}, RateLimited, 300.0),
    (418, {}, RateLimited, 120.0),
    (400, {}, Permanent, "bad_request"),
    (401, {}, Permanent, "forbidden"),
    (403, {}, Permanent, "forbidden"),
    (404, {}, Permanent, "not_found"),
    (409, {}, Permanent, "refused"),
    (451, {}, Permanent, "geo_blocked"),
    (408, {}, Transient, "http_408"),
    (301, {}, Transient, "http_301"),
    (500, {}, Transient, "http_500"),
    (502, {}, Transient, "http_502"),
    (503, {}, Transient, "http_503"),
    (504, {}, Transient, "http_504"),
    (503, {"retry-after": "5"}, Away, 5.0),
]


@pytest.mark.parametrize(("status", "headers", "kind", "detail"), TABLE)
def test_a_status_means_one_thing(
    status: int, headers: dict[str, str], kind: type[Exception], detail: object
):
    failure = failure_of(status, headers, "words")
    assert type(failure) is kind
    told = failure.retry_after if isinstance(failure, Away) else failure.code
    assert told == detail


def test_a_success_is_no_failure():
    assert failure_of(200, {}, "[]") is None


def test_a_venue_that_does_not_answer_is_left_alone_for_longer_and_longer():
    outage, now, pauses = Outage(), 0.0, []
    for _ in range(8):
        outage.failed(now - 1, now, chance=0.999)
        pauses.append(round(outage.remaining(now), 6))
        now += outage.remaining(now) + 0.001
    assert pauses == sorted(pauses)
    assert 0.5 <= pauses[0] <= 1
    assert pauses[-1] == pytest.approx(30, rel=0.01)


def test_failures_of_requests_that_were_under_way_together_count_once():
    outage = Outage()
    for _ in range(32):
        outage.failed(9, 10, chance=0.999)
    assert outage.remaining(10) <= 1


def test_a_failure_while_others_are_answered_is_no_outage():
    outage = Outage()
    outage.answered(9.5, candles=True)
    outage.failed(9, 10, chance=0.5)
    assert outage.remaining(10) == 0


def with_errors(*, seconds: float, count: int = 10) -> Outage:
    """After so many errors, evenly over so long."""
    outage = Outage()
    for number in range(count):
        now = seconds * number / (count - 1)
        outage.erred(now - 0.1, now, chance=0.5)
    return outage


def opened() -> Outage:
    """Open since 10, until 11 at the latest."""
    outage = Outage()
    outage.failed(9, 10, chance=0.5)
    return outage


@pytest.mark.parametrize(
    ("seconds", "count", "opens"), [(5, 10, True), (4.9, 10, False), (60, 9, False)]
)
def test_errors_open_it_where_they_are_sustained(seconds: float, count: int, opens: bool):
    outage = with_errors(seconds=seconds, count=count)
    assert (outage.remaining(seconds) > 0, outage.failures(seconds)) == (opens, int(opens))


def test_errors_that_are_far_apart_are_not_in_a_row():
    outage = with_errors(seconds=4)
    outage.erred(100, 100.1, chance=0.5)
    assert outage.admit(100.2) == Admission(probe=False)


def test_an_error_that_opens_nothing_leaves_the_breaker_to_whatever_answers():
    outage = opened()
    outage.erred(9.5, 10.1, chance=0.5)  # on its way since before
    outage.answered(12, candles=False)
    assert outage.failures(12) == 0


def test_candles_among_errors_keep_it_closed():
    outage = with_errors(seconds=4)
    outage.answered(4.5, candles=True)
    outage.erred(5.4, 5.5, chance=0.5)
    assert outage.admit(5.5) is not None


def test_what_was_opened_by_errors_is_closed_by_candles_alone():
    outage = with_errors(seconds=10)
    outage.answered(12, candles=False)
    assert outage.failures(12) == 1
    outage.answered(13, candles=True)
    assert outage.failures(13) == 0


def test_while_it_is_open_one_request_goes_out_to_probe():
    outage = opened()
    assert outage.admit(10) is None
    probe = outage.admit(11)
    assert probe is not None
    assert outage.admit(11) is None
    outage.through(probe)
    assert outage.admit(12) is not None


def test_a_request_from_before_it_opened_ends_no_probe():
    outage = Outage()
    before = outage.admit(8)
    assert before is not None
    outage.failed(9, 10, chance=0.5)
    assert not outage.holds(before)
    probe = outage.admit(11)
    assert probe is not None
    outage.through(before)
    assert (outage.holds(probe), outage.admit(11)) == (True, None)


def test_a_probe_that_is_answered_closes_it_and_one_that_errs_opens_it_anew():
    outage = opened()
    outage.erred(11, 11.1, chance=0.5)
    assert (outage.failures(11.2), outage.admit(11.2)) == (2, None)
    outage.answered(14, candles=True)
    assert (outage.failures(14), outage.admit(14)) == (0, Admission(probe=False))


def test_after_a_long_outage_a_lone_failure_is_asked_about_again_soon():
    outage, now = Outage(), 0.0
    for _ in range(8):
        outage.failed(now - 1, now, chance=0.999)
        now += outage.remaining(now) + 0.001
    outage.answered(now, candles=True)
    assert outage.wait(now) <= FIRST_SECONDS


def test_what_nobody_asks_any_more_is_not_told_of_for_ever():
    assert [opened().failures(now) for now in (11, 60, 80)] == [1, 1, 0]
