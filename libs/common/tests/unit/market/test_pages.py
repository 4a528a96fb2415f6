"""A page of a venue becomes valid rows and quarantined ones; nothing is lost, nothing mended."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.market.candles import Columns, faults
from candlelog.market.pages import Layout, Page, read_page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, milliseconds

START = datetime(2024, 2, 1, tzinfo=UTC)
WINDOW = TimeRange(START, START + timedelta(minutes=10))
OPEN_FROM = START + timedelta(minutes=12)
MINUTE = Timeframe.parse("1m")
LAYOUT = Layout(width=9, quote_volume=7, trades=8)
T0 = milliseconds(START)


def row(minute: float, *prices: object, width: int = 9) -> list[object]:
    open_, high, low, close = prices or ("10", "12", "9", "11")
    whole = [T0 + int(minute * 60_000), open_, high, low, close, "5", 0, "50", 3]
    return whole[:width]


def read(*rows: list[object]) -> Page:
    return read_page(rows, LAYOUT, WINDOW, MINUTE, open_from=OPEN_FROM)


def test_a_good_page_is_kept_whole():
    page = read(row(0), row(1), row(9))
    assert page.rows.num_rows == 3
    assert page.quarantined == ()


@pytest.mark.parametrize("stamp", [T0 // 1000, 2**62, -(2**63)])
def test_open_times_may_be_in_seconds(stamp: int):
    seconds = Layout(width=9, unit=1000, quote_volume=7, trades=8)
    stamped = [[stamp, *row(0)[1:]]]
    page = read_page(stamped, seconds, WINDOW, MINUTE, open_from=OPEN_FROM)
    assert page.rows.num_rows == (stamp == T0 // 1000)
    assert page.rows.num_rows + len(page.quarantined) == 1


def test_an_empty_page_has_no_rows_and_no_refusals():
    page = read()
    assert (page.rows.num_rows, page.quarantined) == (0, ())


def test_values_are_read_to_the_last_digit():
    page = read(row(0, "0.1", "0.30000000000000004", "0.1", "0.2"))
    assert page.rows.column("high").to_pylist() == [0.30000000000000004]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(2, "nan", "12", "9", "11"), "not_finite"),
        (row(2, "10", "inf", "9", "11"), "not_finite"),
        (row(2, "0", "12", "0", "11"), "not_positive"),
        (row(2, "-1", "12", "-2", "11"), "not_positive"),
        (row(2, "10", "12", "10.5", "11"), "low_or_high_wrong"),
        (row(2, "10", "10.5", "9", "11"), "low_or_high_wrong"),
        (row(2.5), "off_grid"),
        (row(-1), "outside_window"),
        (row(11), "outside_window"),
        (row(1), "not_increasing"),
        (row(0), "not_increasing"),
        (row(2, "ten", "12", "9", "11"), "malformed"),
        (row(2, None, "12", "9", "11"), "malformed"),
        (row(2, width=8), "malformed"),
        (["2024-02-01", *row(2)[1:]], "malformed"),
        ([], "malformed"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason_and_the_rest_is_kept(
    bad: list[object], reason: str
):
    page = read(row(0), row(1), bad, row(3))
    assert [refused.reason for refused in page.quarantined] == [reason]
    assert page.rows.num_rows == 3


def test_a_quarantined_row_keeps_its_raw_text():
    page = read(row(2, "10", "10.5", "9", "11"))
    assert '"10.5"' in page.quarantined[0].raw


@pytest.mark.parametrize(
    ("bad", "open_time"),
    [
        (row(2, None, "12", "9", "11"), START + timedelta(minutes=2)),
        (["2024-02-01", *row(2)[1:]], None),
        ([None, *row(2)[1:]], None),
        ([], None),
    ],
)
def test_a_row_that_cannot_be_read_keeps_the_time_it_states(
    bad: list[object], open_time: datetime | None
):
    (refused,) = read(row(0), bad).quarantined
    assert (refused.reason, refused.open_time) == ("malformed", open_time)


def test_a_row_of_before_the_epoch_is_quarantined_without_its_time():
    (refused,) = read([-60_000, *row(0)[1:]]).quarantined
    assert (refused.reason, refused.open_time) == ("outside_window", None)


def test_a_candle_that_is_still_open_is_dropped_in_silence():
    page = read(row(9), row(12))
    assert (page.rows.num_rows, page.quarantined) == (1, ())


@pytest.mark.parametrize(
    "stamp",
    [1706745600_000_000, 1706745600_000_000_000, 2**62 // 60_000 * 60_000],
    ids=["microseconds", "nanoseconds", "beyond any date"],
)
def test_a_row_of_times_in_another_unit_is_refused(stamp: int):
    (refused,) = read([stamp, *row(0)[1:]]).quarantined
    assert (refused.reason, refused.open_time) == ("outside_window", None)


@given(st.lists(st.integers(-5, 15), max_size=30))
def test_every_row_is_kept_refused_or_still_open(minutes: list[int]):
    page = read(*(row(minute) for minute in minutes))
    still_open = sum(minute == 12 for minute in minutes)
    assert page.rows.num_rows + len(page.quarantined) + still_open == len(minutes)


@given(st.lists(st.integers(-5, 15), max_size=30))
def test_kept_rows_break_no_rule_when_judged_again(minutes: list[int]):
    page = read(*(row(minute) for minute in minutes))
    reasons = faults(Columns.from_batch(page.rows), WINDOW, MINUTE)
    assert not any(reasons)
