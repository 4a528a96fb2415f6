"""What was read too early to be final is read again: once it is due, and not for ever."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun, SlotState
from candlelog.market.timeframe import Timeframe
from gap_auditor.domain.settling import MOST_TRIES, Reread, after_audit, jobs, unsettled
from gap_auditor.domain.tasks import Task

BTC = Series("binance", "BTC/USDT", "1m")
DELAY = timedelta(minutes=1)
JOB, OTHER = UUID(int=1), UUID(int=2)
STATES = {
    ".": (SlotState.PRESENT, True),
    "~": (SlotState.PROVISIONAL, False),
    "?": (SlotState.UNKNOWN, False),
    "x": (SlotState.UNKNOWN, True),
}


def at(slot: float) -> datetime:
    return datetime(2024, 2, 1, tzinfo=UTC) + timedelta(minutes=slot)


def minutes(start: int, end: int) -> TimeRange:
    return TimeRange(at(start), at(end))


def runs(states: str, minutes: int = 1) -> list[SlotRun]:
    """One letter for each stretch of so many minutes."""
    return [
        SlotRun(at(slot * minutes), at((slot + 1) * minutes), 1, *STATES[letter])
        for slot, letter in enumerate(states)
    ]


def task(start: int, end: int, job: UUID = OTHER) -> Task:
    return Task(uuid4(), job, BTC, at(start), at(end))


def audited(known: list[Reread], of: Task, *early: TimeRange) -> list[Reread]:
    return after_audit(known, of, early=early, delay=DELAY, at=at(20))


ASKED = Reread(BTC, minutes(8, 10), at(70), tries=2, job_id=JOB)
MINUTE, QUARTER = Timeframe.parse("1m"), Timeframe.parse("15m")


@pytest.mark.parametrize(
    ("states", "early"),
    [
        ("..........", []),
        ("........~~", [minutes(8, 10)]),
        ("..~.....~.", [minutes(2, 3), minutes(8, 9)]),
        (".........?", [minutes(9, 10)]),
        ("........~?", [minutes(8, 10)]),
        (".?......~?", [minutes(8, 10)]),
        (".........x", []),
    ],
    ids=["final", "provisional", "apart", "no row yet", "both", "an old one lacks", "refused"],
)
def test_what_was_read_too_early(states: str, early: list[TimeRange]):
    assert unsettled(runs(states), MINUTE, delay=DELAY, at=at(11)) == early


def test_a_slot_counts_as_new_from_its_close_on():
    assert unsettled(runs(".?", 15), QUARTER, delay=DELAY, at=at(31)) == [minutes(15, 30)]


def test_a_slot_that_lacks_for_long_is_no_matter_of_settling():
    assert unsettled(runs(".........?"), MINUTE, delay=DELAY, at=at(60)) == []


def test_what_was_read_too_early_is_due_after_the_settle_delay():
    assert audited([], task(0, 10), minutes(8, 10)) == [Reread(BTC, minutes(8, 10), at(21))]


def test_what_a_later_job_found_final_is_not_read_again():
    assert audited([ASKED], task(0, 10)) == []


def test_what_an_audit_saw_a_part_of_stays_as_it_was():
    assert audited([ASKED], task(0, 9)) == [ASKED]


@pytest.mark.parametrize(
    ("early", "left"),
    [
        (minutes(8, 9), []),
        (minutes(8, 12), [minutes(10, 12)]),
        (minutes(7, 12), [minutes(7, 8), minutes(10, 12)]),
    ],
)
def test_no_slot_is_noted_twice(early: TimeRange, left: list[TimeRange]):
    new = [Reread(BTC, window, at(21)) for window in left]
    assert audited([ASKED], task(9, 12), early) == [ASKED, *new]


def test_ranges_of_a_series_are_kept_apart_each_with_its_own_tries():
    new = Reread(BTC, minutes(14, 15), at(21))
    assert audited([ASKED], task(12, 15), minutes(14, 15)) == [ASKED, new]


def test_a_job_that_left_something_is_followed_by_another_later():
    assert audited([ASKED], task(8, 10, JOB), minutes(9, 10)) == [
        replace(ASKED, window=minutes(9, 10), due_at=at(24))
    ]


def test_no_job_follows_the_last():
    last = replace(ASKED, tries=MOST_TRIES)
    assert audited([last], task(8, 10, JOB), minutes(9, 10)) == []


def test_series_of_one_range_are_read_by_one_job():
    eth, hours = replace(BTC, symbol="ETH/USDT"), replace(BTC, timeframe="1h")
    due = [Reread(series, minutes(0, 60), at(61)) for series in (BTC, hours, eth)]
    found = [
        (job.kind, job.symbols, job.timeframes, job.start, job.end, part)
        for job, part in jobs(due, at(62))
    ]
    assert found == [
        ("refresh", ("BTC/USDT", "ETH/USDT"), ("1m",), at(0), at(60), [due[0], due[2]]),
        ("refresh", ("BTC/USDT",), ("1h",), at(0), at(60), [due[1]]),
    ]


def test_a_job_has_a_thousand_symbols_at_most():
    many = [
        Reread(replace(BTC, symbol=f"S{number}/USDT"), minutes(0, 1), at(2))
        for number in range(1001)
    ]
    assert [len(job.symbols) for job, _ in jobs(many, at(3))] == [1000, 1]
