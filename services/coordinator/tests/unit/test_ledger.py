"""What is known of a file after it was read, or refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from candlelog.events.progress import FileReadV1
from candlelog.market.ranges import TimeRange
from coordinator.domain.ledger import FileEntry, FileStatus, fold

NOW = datetime(2024, 3, 1, tzinfo=UTC)


def event(minute: int = 0, **fields: object) -> FileReadV1:
    return FileReadV1.model_validate(
        {
            "job_id": UUID(int=1), "task_id": UUID(int=2), "chunk_id": UUID(int=3),
            "generation": 0, "release": 1, "exchange": "binance", "symbol": "BTC/USDT",
            "timeframe": "1m", "archive": "binance", "path": "a.zip", "version": "1",
            "sha256": "aa", "size": 100, "rows": 10, "quarantined": 1,
            "first": NOW - timedelta(days=9), "last": NOW - timedelta(days=8),
            "read_at": NOW + timedelta(minutes=minute), **fields,
        }
    )  # fmt: skip


def folded(*events: FileReadV1) -> FileEntry:
    entry: FileEntry | None = None
    for each in events:
        entry = fold(entry, each)
    assert entry is not None
    return entry


def test_a_file_that_was_read_is_noted():
    entry = folded(event())
    assert (entry.status, entry.version, entry.sha256, entry.rows, entry.message) == (
        FileStatus.READ, "1", "aa", 10, None,
    )  # fmt: skip


def test_a_file_that_was_refused_is_noted_with_the_reason():
    entry = folded(event(refused="checksum_mismatch: download both again"))
    assert entry.status is FileStatus.REFUSED
    assert entry.message == "checksum_mismatch: download both again"


def test_the_same_content_changes_only_which_version_is_known_and_when_it_was_read():
    first = folded(event())
    again = fold(first, event(1, version="2", rows=3, first=None, last=None))
    assert again == replace(first, version="2", read_at=NOW + timedelta(minutes=1))


def test_what_was_asked_of_the_same_content_is_joined_where_it_touches():
    days = [NOW + timedelta(days=day) for day in range(6)]
    first = event(0, start=days[0], end=days[1])
    next_one = event(1, start=days[1], end=days[2])
    apart = event(2, start=days[4], end=days[5])
    assert folded(first, next_one).read == TimeRange(days[0], days[2])
    assert folded(first, next_one, apart).read == TimeRange(days[4], days[5])


def test_what_was_asked_of_another_content_was_not_read_of_this_one():
    before = event(0, start=NOW, end=NOW + timedelta(days=1))
    after = event(1, start=NOW + timedelta(days=1), end=NOW + timedelta(days=2), sha256="bb")
    assert folded(before, after).read == TimeRange(NOW + timedelta(days=1), NOW + timedelta(days=2))


def test_what_was_asked_of_a_content_that_was_replaced_is_stale():
    days = [NOW + timedelta(days=day) for day in range(4)]
    first = event(0, start=days[0], end=days[2])
    second = event(1, start=days[1], end=days[2], sha256="bb")
    third = event(2, start=days[1], end=days[3], sha256="cc")
    assert folded(first, second).stale == TimeRange(days[0], days[2])
    assert folded(first, second, third).stale == TimeRange(days[0], days[2])


def test_another_content_takes_the_place_of_the_one_before():
    entry = folded(event(), event(1, version="2", sha256="bb", rows=3))
    assert (entry.version, entry.sha256, entry.rows) == ("2", "bb", 3)


def test_a_file_whose_checksum_was_wrong_alone_is_read_then():
    entry = folded(event(refused="checksum_mismatch: …"), event(1))
    assert (entry.status, entry.message, entry.rows) == (FileStatus.READ, None, 10)


def test_files_that_could_not_be_read_whole_are_not_the_same_content():
    refused = {"sha256": "", "refused": "zip_damaged: …"}
    entry = folded(event(**refused, size=5), event(1, **refused, size=6))
    assert entry.size == 6


def test_the_same_content_stays_superseded():
    entry = fold(replace(folded(event()), status=FileStatus.SUPERSEDED), event(1))
    assert entry.status is FileStatus.SUPERSEDED


@given(st.permutations([0, 0, 1, 2]))
def test_the_newest_reading_counts_in_whatever_order_they_come(minutes: list[int]):
    events = [event(minute, sha256=f"{minute}", version=f"{minute}") for minute in minutes]
    assert folded(*events) == folded(event(2, sha256="2", version="2"))


def test_what_comes_again_says_nothing_new():
    entry = folded(event())
    assert fold(entry, event()) is entry
