"""Every kind of answer, and what it means."""

import pytest

from fetcher.domain.answers import failure_of
from fetcher.domain.failures import Away, Permanent, RateLimited, Transient
from fetcher.domain.outages import Outage

TABLE = [
    (429, {"retry-after": "7"}, RateLimited, 7.0),
    (429, {}, RateLimited, 60.0),
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
    outage.answered(9.5)
    outage.failed(9, 10, chance=0.5)
    assert outage.remaining(10) == 0
