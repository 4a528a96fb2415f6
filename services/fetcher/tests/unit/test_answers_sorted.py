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


def opened_by_bad_answers(outage: Outage, *, seconds: float, answers: int = 10) -> float:
    """The moment of the last of so many bad answers over so long."""
    for number in range(answers):
        now = seconds * number / (answers - 1)
        outage.answered_badly(now - 0.1, now, chance=0.5)
    return seconds


@pytest.mark.parametrize(
    ("seconds", "answers", "opens"), [(10, 10, True), (9, 10, False), (60, 9, False)]
)
def test_bad_answers_open_it_where_they_are_sustained(seconds: float, answers: int, opens: bool):
    outage = Outage()
    now = opened_by_bad_answers(outage, seconds=seconds, answers=answers)
    assert (outage.remaining(now) > 0, outage.failures) == (opens, int(opens))


def test_a_good_answer_among_bad_ones_keeps_it_closed():
    outage = Outage()
    opened_by_bad_answers(outage, seconds=9)
    outage.answered(9.5)
    outage.answered_badly(9.9, 10, chance=0.5)
    assert outage.admits(10)


def test_while_it_is_open_one_request_goes_out_to_probe():
    outage = Outage()
    outage.failed(9, 10, chance=0.5)
    assert [outage.admits(now) for now in (10, 11, 11, 12)] == [False, True, False, False]
    outage.through()
    assert outage.admits(12)


def test_a_probe_that_is_answered_closes_it_and_one_answered_badly_opens_it_anew():
    outage = Outage()
    outage.failed(9, 10, chance=0.5)
    outage.answered_badly(11, 11.1, chance=0.5)
    assert (outage.failures, outage.admits(11.2)) == (2, False)
    outage.answered(13)
    assert (outage.failures, outage.admits(13), outage.admits(13)) == (0, True, True)
