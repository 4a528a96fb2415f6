"""Cursors are opaque, and only those we gave out are taken."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from status_api.domain.cursors import (
    GapKey,
    JobKey,
    SeriesKey,
    decode_numbers,
    decode_positions,
    encode_numbers,
    encode_positions,
)
from status_api.domain.problems import Problem

KEY = JobKey(datetime(2024, 2, 1, 1, 2, 3, 456789, tzinfo=UTC), UUID(int=5))
DECODERS = [
    JobKey.decode,
    SeriesKey.decode,
    GapKey.decode,
    decode_positions,
    lambda text: decode_numbers(text, 1),
]


def test_cursors_come_back_as_they_were():
    assert JobKey.decode(KEY.encode()) == KEY
    series = SeriesKey("binance", "BTC/USDT:USDT", "1m")
    assert SeriesKey.decode(series.encode()) == series
    gap = GapKey("binance", "BTC/USDT", "1m", KEY.submitted_at)
    assert GapKey.decode(gap.encode()) == gap
    assert decode_numbers(encode_numbers(3, 2**63 - 1), 2) == (3, 2**63 - 1)
    positions = {"jobs.commands": {0: 5}, "progress": {1: 7, 5: 0}}
    assert decode_positions(encode_positions(positions)) == positions


@pytest.mark.parametrize("decode", DECODERS)
@given(text=st.one_of(st.text(max_size=50), st.binary(max_size=50).map(lambda b: b.hex())))
def test_what_is_no_cursor_is_a_problem(decode: object, text: str):
    with pytest.raises(Problem) as caught:
        decode(text)  # pyright: ignore[reportCallIssue] -- every one of DECODERS can be called
    assert caught.value.code == "malformed_cursor"


@pytest.mark.parametrize(
    "time",
    ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2024-02-01T00:00:00", "", None, 5],
)
def test_a_time_that_no_store_can_hold_is_refused(time: object):
    raw = orjson.dumps(["j", time, str(UUID(int=0))])
    with pytest.raises(Problem) as caught:
        JobKey.decode(base64.urlsafe_b64encode(raw).decode())
    assert caught.value.code == "malformed_cursor"


@pytest.mark.parametrize(
    "place",
    [
        ["binance", "BTC/USDT", "1m", "0001-01-01T00:00:00+14:00"],
        ["binance", "BTC/USDT", "1m", None],
        ["binance", "\0", "1m", "2024-02-01T00:00:00+00:00"],
        ["binance", 5, "1m", "2024-02-01T00:00:00+00:00"],
    ],
)
def test_a_place_that_no_gap_can_have_is_refused(place: list[object]):
    raw = orjson.dumps(["g", *place])
    with pytest.raises(Problem) as caught:
        GapKey.decode(base64.urlsafe_b64encode(raw).decode())
    assert caught.value.code == "malformed_cursor"


def test_a_name_that_no_series_can_have_is_refused():
    raw = orjson.dumps(["s", "binance", "\0", "1m"])
    with pytest.raises(Problem) as caught:
        SeriesKey.decode(base64.urlsafe_b64encode(raw).decode())
    assert caught.value.code == "malformed_cursor"


@pytest.mark.parametrize(
    "numbers", [(-1,), (2**64,), (1, 2)], ids=["negative", "too big", "too many"]
)
def test_numbers_out_of_range_are_refused(numbers: tuple[int, ...]):
    text = (
        encode_numbers(*numbers) if max(numbers) < 2**64 else "WyJuIiwxODQ0Njc0NDA3MzcwOTU1MTYxNl0"
    )
    with pytest.raises(Problem):
        decode_numbers(text, 1)


def test_what_is_no_number_is_refused():
    """True is an int in Python; a store takes it for no number."""
    with pytest.raises(Problem):
        decode_numbers(encode_numbers(True), 1)


def test_a_cursor_of_another_list_is_refused():
    with pytest.raises(Problem):
        decode_numbers(KEY.encode(), 2)
