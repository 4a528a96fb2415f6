"""What files of a series are called, and which slots they may hold."""

from datetime import UTC, datetime, timedelta

import pytest

from candlelog.events.fetch import ArchiveFileRef
from candlelog.market.archive_names import months
from candlelog.market.profile import ArchiveProfile, profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.archived import (
    Archived,
    by_span,
    changed,
    damaged,
    days,
    held_files,
    judged,
    of_market,
    span,
)
from coordinator.domain.ledger import FileStatus, Noted
from coordinator.domain.routing import HeldFile

NOW = datetime(2024, 3, 3, 12, tzinfo=UTC)
SERIES = Series("binance", "BTC/USDT", "1h")
FOLDER = "spot/monthly/klines/BTCUSDT/1h"
HOURS = Timeframe.parse("1h")


def archive_of(exchange: str) -> ArchiveProfile:
    found = profile(exchange).archive
    assert found is not None
    return found


BINANCE, FUTURES, KRAKEN = map(archive_of, ("binance", "binanceusdm", "kraken"))


def window(start: str, end: str) -> TimeRange:
    first, after = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end))
    return TimeRange(first, after)


def names(files: list[str]) -> list[str]:
    return [path.rpartition("/")[2].removesuffix(".zip") for path in files]


def test_days_are_looked_for_in_months_of_which_there_is_no_file():
    asked = window("2024-01-30", "2024-03-03")
    found = {file.path: "1" for file in months(BINANCE, SERIES, asked) if "2024-02" in file.path}
    looked = [file.path for file in days(BINANCE, SERIES, asked, found=found, is_remote=False)]
    assert names(looked) == [
        "BTCUSDT-1h-2024-01-30", "BTCUSDT-1h-2024-01-31", "BTCUSDT-1h-2024-03-01",
        "BTCUSDT-1h-2024-03-02",
    ]  # fmt: skip


def test_where_each_costs_a_request_days_are_looked_for_from_the_first_month_on():
    asked = window("2020-01-01", "2024-03-03")
    found = {file.path: "1" for file in months(BINANCE, SERIES, asked) if "2024-01" in file.path}
    looked = [file.path for file in days(BINANCE, SERIES, asked, found=found, is_remote=True)]
    assert names(looked)[0] == "BTCUSDT-1h-2024-02-01"
    assert len(looked) == 31


def test_where_each_costs_a_request_and_no_month_is_there_the_days_of_two_are_looked_for():
    asked = window("2020-01-01", "2024-03-03")
    looked = [file.path for file in days(BINANCE, SERIES, asked, found={}, is_remote=True)]
    assert len(looked) == 31


def test_a_file_that_was_found_holds_the_slots_of_its_month():
    asked = window("2024-02-10", "2024-02-11")
    files = months(BINANCE, SERIES, asked)
    assert held_files(files, {files[0].path: "7"}, HOURS) == [
        HeldFile(
            ArchiveFileRef(path=f"{FOLDER}/BTCUSDT-1h-2024-02.zip", version="7"),
            window("2024-02-01", "2024-03-01"),
        )
    ]
    assert held_files(files, {}, HOURS) == []


def test_weeks_that_open_in_a_month_are_in_its_file():
    series = Series("binance", "BTC/USDT", "1w")
    files = months(BINANCE, series, window("2024-02-01", "2024-03-01"))
    (held,) = held_files(files, {file.path: "1" for file in files}, Timeframe.parse("1w"))
    assert held.part == window("2024-02-05", "2024-03-04")


def test_files_of_kraken_are_found_at_any_depth_and_in_zips():
    series = [Series("kraken", "BTC/USD", "1h"), Series("kraken", "DOGE/USD", "1m")]
    listed = [
        "XBTUSD_60.csv", "XBTUSD_1.csv", "a/b/XBTUSD_60.csv", "Q1.zip:XBTUSD_60.csv",
        "Q1.zip:deep/XDGUSD_1.csv", "cut.zip", "README.md",
    ]  # fmt: skip
    assert of_market(KRAKEN, series, listed) == {
        series[0]: ["XBTUSD_60.csv", "a/b/XBTUSD_60.csv", "Q1.zip:XBTUSD_60.csv"],
        series[1]: ["Q1.zip:deep/XDGUSD_1.csv"],
    }
    assert damaged(listed) == ("cut.zip",)


def lines(*times: datetime) -> bytes:
    return b"".join(b"%d,1,1,1,1,1,1\n" % int(time.timestamp()) for time in times)


FIRST, LAST = datetime(2013, 10, 6, 21, tzinfo=UTC), datetime(2023, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (lines(FIRST, FIRST + timedelta(hours=9)), lines(LAST - timedelta(hours=3), LAST)),
        (b"\xef\xbb\xbf" + lines(FIRST), lines(LAST)),
        (b"time,open\n" + lines(FIRST), lines(LAST) + b"end of file\n"),
        (lines(FIRST, LAST), lines(FIRST, LAST)),
        (lines(FIRST), b"81095000,1,1,1\n" + lines(LAST)),
        (lines(FIRST), lines(LAST, NOW + timedelta(days=9))),
        (b"\r\n" + lines(FIRST).replace(b"\n", b"\r\n"), lines(LAST).replace(b"\n", b"\r\n")),
    ],
    ids=["many", "bom", "text", "short", "cut", "to_come", "crlf"],
)
def test_a_file_of_kraken_holds_the_slots_from_its_first_line_to_its_last(head: bytes, tail: bytes):
    assert span(head, tail, HOURS, NOW) == TimeRange(FIRST, LAST + timedelta(hours=1))


def test_a_line_that_is_no_candle_tells_no_time():
    text = b"1706745600,1,2,0.5,1,3,4\n1709251200,garbage\n1577836800,junk\n"
    assert span(text, text, HOURS, NOW) == window("2024-02-01", "2024-02-01T01:00")


def test_a_file_without_a_candle_holds_nothing():
    assert span(b"", b"", HOURS, NOW) is None
    assert span(b"<html>\n", b"</html>\n", HOURS, NOW) is None


def held(name: str, start: str, end: str) -> HeldFile:
    return HeldFile(ArchiveFileRef(path=name, version="1"), window(start, end))


def test_of_files_whose_names_say_no_time_the_longest_comes_first():
    dump = held("dump", "2013-01-01", "2023-01-01")
    old, next_one = held("old", "2013-01-01", "2020-01-01"), held("q1", "2023-01-01", "2023-04-01")
    assert by_span([next_one, old, dump]) == [dump, old, next_one]


@pytest.mark.parametrize(
    ("begin", "end"),
    [("2023-01-01", "2023-01-01"), ("2023-01-01T23:00", "2023-01-01T23:00"), ("2023-01-02", None)],
    ids=["at once", "hours later", "a day later"],
)
def test_a_file_reaches_to_the_begin_of_one_less_than_a_day_behind_it(begin: str, end: str | None):
    old, new = held("old", "2013-01-01", "2023-01-01"), held("new", begin, "2023-04-01")
    assert by_span([new, old]) == [held("old", "2013-01-01", end or "2023-01-01"), new]


READ, REFUSED, SUPERSEDED = FileStatus.READ, FileStatus.REFUSED, FileStatus.SUPERSEDED


@pytest.mark.parametrize(
    ("known", "sha256", "replaced", "refused"),
    [
        (None, None, False, False),
        (Noted("1", READ, "ab"), None, False, False),
        (Noted("0", READ, "ab"), None, True, False),
        (Noted("0", READ, "ab"), "cd", True, False),
        (Noted("0", READ, "ab"), "ab", False, False),
        (Noted("1", REFUSED, ""), None, False, True),
        (Noted("0", REFUSED, ""), None, True, False),
        (Noted("0", SUPERSEDED, "ab"), None, False, False),
    ],
)
def test_a_file_is_judged_by_what_the_ledger_knows_of_it(
    known: Noted | None, sha256: str | None, replaced: bool, refused: bool
):
    archived = Archived({SERIES: [held("a", "2024-01-01", "2024-02-01")]}, ("cut.zip",))
    found = judged(archived, {} if known is None else {"a": known}, {"a": sha256})
    (file,) = found.files[SERIES]
    again = (file.part,) if replaced else ()
    assert (file.again, file.refused, found.damaged) == (again, refused, ("cut.zip",))


def test_what_was_asked_of_the_version_before_and_not_of_this_one_is_asked_again():
    day, before = window("2024-01-10", "2024-01-11"), window("2024-01-05", "2024-01-20")
    known = Noted("1", READ, "ab", read=day, stale=before)
    found = judged(Archived({SERIES: [held("a", "2024-01-01", "2024-02-01")]}), {"a": known}, {})
    (file,) = found.files[SERIES]
    assert file.again == (window("2024-01-05", "2024-01-10"), window("2024-01-11", "2024-01-20"))


def test_of_files_that_were_read_those_of_another_version_may_have_changed():
    known = {
        "a": Noted("0", READ, "ab"), "b": Noted("1", READ, "ab"), "c": Noted("0", REFUSED, ""),
    }  # fmt: skip
    files = [held(name, "2024-01-01", "2024-02-01") for name in "abcd"]
    assert [file.path for file in changed(Archived({SERIES: files}), known)] == ["a"]
