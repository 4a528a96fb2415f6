"""Reading a page: the quick way must say what the slow way says."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.market.pages import Layout, Page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, milliseconds
from fetcher.domain import rows
from fetcher.domain.coverage import check_answered
from fetcher.domain.failures import Transient

LAYOUT = Layout(width=12, quote_volume=7, trades=8)
START = datetime(2024, 2, 1, tzinfo=UTC)
WINDOW = TimeRange(START, START + timedelta(minutes=10))
QUESTION = rows.Question(WINDOW, Timeframe.parse("1m"), START + timedelta(minutes=10))


def row(minute: float = 0, price: str = "10.5", **fields: object) -> list[object]:
    stamp = milliseconds(START) + int(minute * 60_000)
    found = [
        stamp, price, "11.00000000", "9.00000000", "10.00000000", "3.14", stamp + 59_999,
        "33.0", 7, "1.0", "10.0", "0",
    ]  # fmt: skip
    for place, value in fields.items():
        found[int(place[1:])] = value
    return found


def read(*page: list[object]) -> Page:
    return rows.read(orjson.dumps(page), LAYOUT, QUESTION)


def slowly(text: bytes) -> Page:
    with patch.object(rows, "_columns", return_value=None):
        return rows.read(text, LAYOUT, QUESTION)


def test_a_good_page_keeps_every_value():
    page = read(row(0, "9.12345678"), row(1, "10.00000001"))
    assert page.quarantined == ()
    assert page.rows.column("open").to_pylist() == [9.12345678, 10.00000001]
    assert page.rows.column("quote_volume").to_pylist() == [33.0, 33.0]
    assert page.rows.column("trades").to_pylist() == [7, 7]


def test_a_bad_row_is_quarantined_and_the_rest_kept():
    page = read(row(0), row(1, "NaN"), row(2))
    assert page.rows.num_rows == 2
    [refused] = page.quarantined
    assert refused.reason == "not_finite"
    assert refused.open_time == START + timedelta(minutes=1)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "between", "last"])
def test_an_empty_row_is_quarantined_wherever_it_stands(place: int):
    table = [row(0), row(1)]
    table.insert(place, [])
    page = read(*table)
    assert (page.rows.num_rows, [each.raw for each in page.quarantined]) == (2, ["[]"])


def test_a_row_nested_too_deep_is_quarantined():
    deep = b"[" * 1020 + b"]" * 1020
    page = rows.read(b"[%s,%s]" % (orjson.dumps(row(0)), deep), LAYOUT, QUESTION)
    assert (page.rows.num_rows, len(page.quarantined)) == (1, 1)


@pytest.mark.parametrize("price", ["10.5", None], ids=["a good one", "one without a price"])
def test_a_page_whose_only_row_is_of_another_time_answers_another_question(price: str):
    with pytest.raises(Transient, match="another range"):
        check_answered(read(row(-100, price)), WINDOW, most_rows=10)


def test_the_candle_that_is_still_open_is_dropped():
    question = rows.Question(WINDOW, QUESTION.timeframe, START + timedelta(minutes=5))
    page = rows.read(orjson.dumps([row(4), row(5)]), LAYOUT, question)
    assert (page.rows.num_rows, page.quarantined) == (1, ())


def test_an_empty_page_is_a_page():
    assert read().rows.num_rows == 0


@pytest.mark.parametrize("text", [b"<html>", b"", b'{"a": 1}', b"[1, 2]", b"[[1,2],", b"null"])
def test_what_is_no_list_of_rows_is_not_understood(text: bytes):
    with pytest.raises(Transient, match="another kind"):
        rows.read(text, LAYOUT, QUESTION)


numbers = st.one_of(
    st.floats(0.0001, 1e9).map(lambda value: f"{value:.8f}"),
    st.sampled_from(["NaN", "-1", "0", "", "1e5", "x", "Infinity", None, 5, 2.5, True, [1]]),
)
pages = st.lists(
    st.tuples(
        st.integers(-2, 12),
        st.lists(numbers, min_size=6, max_size=6),
        st.sampled_from([12, 12, 12, 11, 1, 0]),
    ),
    max_size=8,
)


@given(pages)
def test_both_ways_of_reading_agree_whatever_stands_on_the_page(
    page: list[tuple[int, list[object], int]],
):
    table = [
        row(minute, _1=a, _2=b, _3=c, _4=d, _5=e, _7=f)[:width]
        for minute, (a, b, c, d, e, f), width in page
    ]
    text = orjson.dumps(table)
    assert rows.read(text, LAYOUT, QUESTION) == slowly(text)


@given(st.lists(st.floats(1, 1e9).map(lambda value: f"{value:.8f}"), min_size=1, max_size=10))
def test_good_prices_are_read_to_the_last_digit(prices: list[str]):
    table = [row(minute, p, _2=p, _3=p, _4=p) for minute, p in enumerate(prices)]
    assert read(*table).rows.column("close").to_pylist() == [float(price) for price in prices]
