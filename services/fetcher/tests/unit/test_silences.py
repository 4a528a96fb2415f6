"""Where a venue that has rows of all slots has none, and when it is asked once more."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from candlelog.market.pages import Layout, Page, read_page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, milliseconds
from fetcher.domain.failures import Transient
from fetcher.domain.silences import Silence, Silent

MINUTE = Timeframe.parse("1m")
NOW = 100


def at(minute: int) -> datetime:
    return datetime(2024, 2, 1, tzinfo=UTC) + timedelta(minutes=minute)


def minutes(first: int, end: int) -> TimeRange:
    return TimeRange(at(first), at(end))


def row(minute: int, price: object = "10") -> list[object]:
    return [milliseconds(at(minute)), price, "11", "9", "10", "1"]


def page(rows: Iterable[list[object]], window: TimeRange) -> Page:
    return read_page(list(rows), Layout(width=6), window, MINUTE, open_from=at(NOW))


def asked(silence: Silence, first: int, end: int, *has: int) -> TimeRange | None:
    window = minutes(first, end)
    found = silence.after(page(map(row, has), window), window, MINUTE)
    return None if found is None else found.slots


def confirm(silence: Silence, silent: TimeRange, *rest: list[object], unread: bool = False) -> None:
    window = TimeRange(silent.start, at(NOW))
    silence.confirm(Silent(silent, unread), page(rest, window), window)


@pytest.mark.parametrize(
    ("has", "silent"),
    [
        (range(10), None),
        ((0, 1, 9), None),
        (range(4), minutes(4, 10)),
        ((), minutes(0, 10)),
    ],
    ids=["whole", "a hole within", "short", "empty"],
)
def test_the_end_of_a_page_that_has_no_row_is_asked_for(has: Iterable[int], silent: TimeRange):
    assert asked(Silence(), 0, 10, *has) == silent


def test_a_row_that_was_refused_is_no_silence():
    window = minutes(0, 10)
    rows = page([*map(row, range(9)), row(9, "-1")], window)
    assert Silence().after(rows, window, MINUTE) is None


@pytest.mark.parametrize("first", [row(7), row(7, "-1")], ids=["a good one", "a refused one"])
def test_a_row_of_what_was_silent_tells_that_the_page_was_short(first: list[object]):
    with pytest.raises(Transient, match="rows are missing"):
        confirm(Silence(), minutes(4, 10), first)


@pytest.mark.parametrize(("rest", "until"), [((row(25),), 25), ((), NOW)], ids=["row", "none"])
def test_what_was_said_twice_is_not_asked_again(rest: tuple[list[object], ...], until: int):
    silence = Silence()
    confirm(silence, minutes(4, 10), *rest)
    assert asked(silence, 10, until) is None
    assert asked(silence, 10, until + 1) == minutes(10, until + 1)


UNREADABLE: list[object] = [None, "10", "11", "9", "10", "1"]


def test_a_page_tells_whether_it_has_rows_that_cannot_be_read():
    window = minutes(0, 10)
    rows = page([*map(row, range(9)), UNREADABLE], window)
    assert Silence().after(rows, window, MINUTE) == Silent(minutes(9, 10), unread=True)


def test_a_row_that_cannot_be_read_tells_nothing_of_later_slots():
    silence = Silence()
    confirm(silence, minutes(9, 10), UNREADABLE, unread=True)
    assert asked(silence, 9, 10) is None
    assert asked(silence, 10, 20) == minutes(10, 20)


def test_a_row_that_cannot_be_read_confirms_no_page_whose_rows_can():
    with pytest.raises(Transient, match="rows are missing"):
        confirm(Silence(), minutes(4, 10), UNREADABLE)


@pytest.mark.parametrize(("first", "end"), [(40, 41), (0, 60)], ids=["in it", "around it"])
def test_a_row_where_there_was_said_to_be_none_takes_all_of_it_back(first: int, end: int):
    silence = Silence()
    confirm(silence, minutes(4, 50), row(50))
    asked(silence, first, end, *range(first, end))
    assert asked(silence, 20, 30) == minutes(20, 30)


def test_a_refused_row_takes_it_back_too():
    silence = Silence()
    confirm(silence, minutes(4, 50), row(50))
    window = minutes(0, 60)
    silence.after(page([row(20, "-1"), row(59)], window), window, MINUTE)
    assert asked(silence, 20, 30) == minutes(20, 30)
