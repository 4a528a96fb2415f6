"""The gate counts weight by calendar minute, as requests arrive."""

from candlelog_embedded.sandbox.limiter import Limiter, Rules, Verdict

MINUTE = 60_000
START = 28_000_000 * MINUTE


def test_the_whole_capacity_of_a_minute_is_admitted_and_not_one_more() -> None:
    limiter = Limiter(Rules(capacity=10))
    verdicts = [limiter.arrive(2, START + number) for number in range(6)]
    assert verdicts == [Verdict.ADMITTED] * 5 + [Verdict.LIMITED]


def test_the_next_calendar_minute_begins_anew() -> None:
    limiter = Limiter(Rules(capacity=10))
    limiter.arrive(10, START + MINUTE - 1)
    assert limiter.arrive(10, START + MINUTE) is Verdict.ADMITTED


def test_retry_after_is_the_rest_of_the_minute_rounded_up() -> None:
    limiter = Limiter(Rules(capacity=1))
    assert limiter.retry_after(START + 17_500) == 43
    assert limiter.retry_after(START + MINUTE - 1) == 1


def test_who_goes_on_after_a_429_is_banned() -> None:
    limiter = Limiter(Rules(capacity=1, ban_after=2, ban_seconds=120))
    verdicts = [limiter.arrive(1, START) for _ in range(5)]
    assert verdicts == [
        Verdict.ADMITTED,
        Verdict.LIMITED,
        Verdict.LIMITED,
        Verdict.BANNED,
        Verdict.BANNED,
    ]
    assert limiter.retry_after(START) == 120
    assert limiter.arrive(1, START + 119_999) is Verdict.BANNED
    assert limiter.arrive(1, START + 120_000) is Verdict.ADMITTED


def test_no_capacity_is_no_limit() -> None:
    limiter = Limiter(Rules(capacity=None))
    assert limiter.arrive(1_000_000, START) is Verdict.ADMITTED


def test_refused_requests_are_violations_and_weigh_too() -> None:
    limiter = Limiter(Rules(capacity=2))
    for _ in range(3):
        limiter.arrive(2, START)
    limiter.arrive(2, START + MINUTE)
    newest, oldest = limiter.newest()
    assert (limiter.violations, oldest.weight, oldest.limited, newest.weight) == (2, 6, 2, 2)


def test_a_shorter_ban_does_not_end_a_longer_one() -> None:
    limiter = Limiter()
    limiter.ban(60, START)
    limiter.ban(1, START)
    assert limiter.banned_until == START + MINUTE


def test_the_history_of_windows_is_bounded() -> None:
    limiter = Limiter()
    for number in range(10_100):
        limiter.arrive(1, START + number * MINUTE)
    assert len(limiter.windows) == 10_000
    assert START not in limiter.windows
