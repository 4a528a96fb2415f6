"""Files and ranges of the venue that touch grow into one another, by a known number of slots."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.events.fetch import ArchiveFileRef
from candlelog.market.ranges import TimeRange, merge
from candlelog.market.timeframe import Timeframe
from coordinator.domain.routing import HeldFile, Rules, Ways, route
from coordinator.domain.seams import SEAM_SLOTS, joined, twice

HOURS = Timeframe.parse("1h")
START = datetime(2024, 1, 1, tzinfo=UTC)
PAGE = 100


def between(first: int, last: int) -> TimeRange:
    return TimeRange(START + timedelta(hours=first), START + timedelta(hours=last))


def file(name: str, first: int, last: int) -> HeldFile:
    return HeldFile(ArchiveFileRef(path=name, version="1"), between(first, last))


def ways(asked: TimeRange, *files: HeldFile, oldest: int | None = None) -> Ways:
    within = None if oldest is None else START + timedelta(hours=oldest)
    rules = Rules("auto", HOURS, PAGE, within)
    return joined(route([asked], files, rules), files, rules)


def test_the_venue_is_asked_for_the_last_slots_of_a_file_before():
    found = ways(between(0, 400), file("a", 0, 200))
    assert found.rest == (between(200 - SEAM_SLOTS, 400),)
    assert twice(found, HOURS) == SEAM_SLOTS


def test_the_venue_is_asked_for_the_first_slots_of_a_file_behind():
    found = ways(between(0, 400), file("a", 200, 400))
    assert found.rest == (between(0, 200 + SEAM_SLOTS),)


def test_a_hole_between_two_files_has_two_seams():
    found = ways(between(0, 500), file("a", 0, 200), file("b", 300, 500))
    assert found.rest == (between(200 - SEAM_SLOTS, 300 + SEAM_SLOTS),)
    assert twice(found, HOURS) == 2 * SEAM_SLOTS


def test_a_file_that_is_shorter_than_a_seam_is_asked_for_once():
    found = ways(between(0, 400), file("a", 190, 200))
    assert found.rest == (between(0, 400),)
    assert twice(found, HOURS) == 10


def test_a_file_is_read_on_where_the_venue_answers_its_newest_candles_alone():
    found = ways(between(0, 400), file("a", 0, 400), oldest=300)
    assert [each.part for each in found.files] == [between(0, 300 + SEAM_SLOTS)]
    assert found.rest == (between(300, 400),)
    assert twice(found, HOURS) == SEAM_SLOTS


@pytest.mark.parametrize("end", [300, 310])
def test_a_file_is_read_no_further_than_it_goes(end: int):
    found = ways(between(0, 400), file("a", 0, end), oldest=300)
    assert [each.part for each in found.files] == [between(0, end)]
    assert twice(found, HOURS) == end - 300


def test_what_does_not_touch_has_no_seam():
    found = ways(between(0, 400), file("a", 0, 200), oldest=300)
    assert (found.rest, twice(found, HOURS)) == ((between(300, 400),), 0)


stretches = st.tuples(st.integers(0, 400), st.integers(1, 200)).map(
    lambda pair: between(pair[0], pair[0] + pair[1])
)


@given(stretches, st.lists(stretches, max_size=4), st.none() | st.integers(0, 500))
def test_nothing_is_asked_for_that_was_not(
    asked: TimeRange, held: list[TimeRange], oldest: int | None
):
    files = [
        HeldFile(ArchiveFileRef(path=str(number), version="1"), part)
        for number, part in enumerate(held)
    ]
    rules = Rules("auto", HOURS, PAGE, None if oldest is None else between(oldest, 999).start)
    before = route([asked], files, rules)
    found = joined(before, files, rules)

    def all_of(some: Ways) -> list[TimeRange]:
        return merge([*some.rest, *(each.part for each in some.files), *some.left])

    assert all_of(found) == all_of(before)
    assert found.left == before.left
