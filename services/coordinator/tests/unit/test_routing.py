"""Every slot that is asked for goes one way, or is left."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.events.fetch import ArchiveFileRef
from candlelog.market.ranges import TimeRange, merge
from candlelog.market.timeframe import Timeframe
from coordinator.domain.routing import HeldFile, Purpose, Rules, Ways, route

START = datetime(2024, 1, 1, tzinfo=UTC)
HOURS = Timeframe.parse("1h")
PAGE = 10


def at(slot: int) -> datetime:
    return START + timedelta(hours=slot)


def between(first: int, last: int) -> TimeRange:
    return TimeRange(at(first), at(last))


def file(name: str, first: int, last: int, **flags: Any) -> HeldFile:
    return HeldFile(ArchiveFileRef(path=name, version="1"), between(first, last), **flags)


def ways(
    asked: list[TimeRange],
    *files: HeldFile,
    purpose: Purpose = "auto",
    oldest: int | None = None,
) -> Ways:
    within = None if oldest is None else at(oldest)
    return route(asked, files, Rules(purpose, HOURS, PAGE, within))


def slots(ranges: list[TimeRange] | tuple[TimeRange, ...]) -> list[int]:
    return [
        (each.start - START) // timedelta(hours=1) + n
        for each in ranges
        for n in range(HOURS.count(each.start, each.end))
    ]


def read(found: Ways) -> list[tuple[str, int, int]]:
    """Name, first slot and last of what is read from files."""
    return [
        (each.file.path, slots([each.part])[0], slots([each.part])[-1] + 1) for each in found.files
    ]


def told(found: Ways) -> tuple[list[tuple[str, int, int]], list[int], list[int]]:
    return read(found), slots(found.rest), slots(found.left)


stretches = st.tuples(st.integers(0, 90), st.integers(1, 40)).map(
    lambda pair: between(pair[0], pair[0] + pair[1])
)
flags = st.sampled_from([{}, {"again": (between(0, 120),)}, {"refused": True}])
held = st.lists(st.tuples(stretches, flags), max_size=6).map(
    lambda some: [
        HeldFile(ArchiveFileRef(path=str(number), version="1"), part, **each)
        for number, (part, each) in enumerate(some)
    ]
)
purposes = st.sampled_from(["auto", "archive", "repair"])


@given(st.lists(stretches, max_size=5).map(merge), held, purposes, st.none() | st.integers(0, 120))
def test_every_slot_that_is_asked_for_goes_one_way_or_is_left(
    asked: list[TimeRange], files: list[HeldFile], purpose: Purpose, oldest: int | None
):
    found = ways(asked, *files, purpose=purpose, oldest=oldest)
    gone = [*slots(found.rest), *slots([each.part for each in found.files]), *slots(found.left)]
    assert sorted(gone) == slots(asked)


@given(st.lists(stretches, max_size=5).map(merge), held, purposes, st.none() | st.integers(0, 120))
def test_nothing_goes_where_it_cannot_be_had(
    asked: list[TimeRange], files: list[HeldFile], purpose: Purpose, oldest: int | None
):
    found = ways(asked, *files, purpose=purpose, oldest=oldest)
    parts = {each.ref.path: each.part for each in files}
    for path, part in ((each.file.path, each.part) for each in found.files):
        assert parts[path].start <= part.start < part.end <= parts[path].end
    if purpose == "archive":
        assert not found.rest
    if purpose == "auto" and oldest is not None:
        assert all(slot >= oldest for slot in slots(found.rest))
    holdable = set(slots([each.part for each in files]))
    reachable = set(range(130)) if oldest is None else set(range(oldest, 130))
    left = set(slots(found.left))
    assert not left & holdable
    assert purpose != "repair" or not left
    assert purpose == "archive" or not left & reachable


@given(st.lists(stretches, max_size=5).map(merge), held, purposes, st.none() | st.integers(0, 120))
def test_all_ways_are_in_order_of_time(
    asked: list[TimeRange], files: list[HeldFile], purpose: Purpose, oldest: int | None
):
    found = ways(asked, *files, purpose=purpose, oldest=oldest)
    for some in (found.rest, found.left, [each.part for each in found.files]):
        assert all(a.end <= b.start for a, b in pairwise(some))


def test_files_that_are_wanted_whole_are_read_and_the_rest_is_asked_of_the_venue():
    found = ways([between(0, 40)], file("a", 0, 5), file("b", 20, 35))
    assert told(found) == (
        [("a", 0, 5), ("b", 20, 35)], [*range(5, 20), *range(35, 40)], [],
    )  # fmt: skip


def test_a_file_of_which_less_than_a_page_is_wanted_is_not_read():
    asked = [between(15, 24)]
    assert told(ways(asked, file("a", 0, 30))) == ([], slots(asked), [])
    assert read(ways([between(15, 25)], file("a", 0, 30))) == [("a", 15, 25)]


def test_the_file_named_first_is_read_where_two_hold_a_slot():
    found = ways([between(0, 30)], file("month", 0, 20), file("day", 10, 30))
    assert read(found) == [("month", 0, 20), ("day", 20, 30)]


def test_a_file_that_was_replaced_is_read_before_others_and_however_little_is_wanted():
    found = ways([between(8, 12)], file("a", 0, 30), file("b", 10, 30, again=(between(10, 30),)))
    assert told(found) == ([("b", 10, 12)], [8, 9], [])


def test_what_a_file_was_asked_for_before_it_lacks():
    known = file("a", 0, 30, read=between(0, 20))
    assert told(ways([between(0, 30)], known)) == ([("a", 20, 30)], list(range(20)), [])
    assert told(ways([between(0, 15)], known, purpose="archive")) == ([], [], list(range(15)))


def test_of_a_file_that_was_replaced_or_has_what_the_venue_no_longer_reaches_all_is_read():
    assert read(ways([between(0, 30)], file("a", 0, 30, again=(between(0, 30),)))) == [("a", 0, 30)]
    known = file("a", 0, 30, read=between(0, 20))
    assert read(ways([between(0, 30)], known, oldest=30)) == [("a", 0, 30)]


def test_from_files_alone_all_is_read_that_they_hold_and_the_rest_is_left():
    found = ways([between(3, 20)], file("a", 0, 5), file("b", 10, 12), purpose="archive")
    assert told(found) == ([("a", 3, 5), ("b", 10, 12)], [], [*range(5, 10), *range(12, 20)])


def test_a_venue_of_limited_reach_is_asked_for_what_it_reaches_and_files_for_what_is_older():
    found = ways([between(0, 50)], file("a", 10, 45), oldest=40)
    assert told(found) == ([("a", 10, 40)], list(range(40, 50)), list(range(10)))


def test_a_refused_file_is_read_only_where_there_is_no_other_way():
    refused = file("a", 0, 20, refused=True)
    assert told(ways([between(0, 20)], refused)) == ([], list(range(20)), [])
    assert read(ways([between(0, 20)], refused, purpose="archive")) == [("a", 0, 20)]
    assert read(ways([between(0, 20)], refused, oldest=15)) == [("a", 0, 15)]
    days = ways([between(0, 20)], refused, file("b", 5, 20), purpose="archive")
    assert read(days) == [("a", 0, 5), ("b", 5, 20)]


@pytest.mark.parametrize(
    ("oldest", "expected"),
    [
        (None, ([], list(range(30)), [])),
        (25, ([("a", 10, 20)], [*range(10), *range(20, 30)], [])),
    ],
)
def test_a_repair_asks_the_venue_unless_that_does_not_reach_and_a_file_does(
    oldest: int | None, expected: object
):
    found = ways([between(0, 30)], file("a", 10, 20), purpose="repair", oldest=oldest)
    assert told(found) == expected
