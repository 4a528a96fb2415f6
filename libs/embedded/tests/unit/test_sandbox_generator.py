"""The generated market is one and the same everywhere, whole, and plausible."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog_embedded.sandbox.columns import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    QUOTE_VOLUME,
    TAKER_VOLUME,
    TRADES,
    VOLUME,
    joined,
)
from candlelog_embedded.sandbox.generator import LISTED, GeneratedMarket
from candlelog_embedded.sandbox.intervals import INTERVALS, MINUTE
from candlelog_embedded.sandbox.rendering import kline_rows

FEBRUARY_2024 = 1_706_745_600_000


@pytest.mark.parametrize(
    ("symbol", "digest"),
    [
        ("SYNAUSDT", "178bd714107c27ffe8fe78a8de2ff532540b375880a0a5dfdd79ca08644676d4"),
        ("GEN500USDT", "7f9108c07b10e0552f50925a18178f1dd793574b8833942f688d9736337eb4f2"),
    ],
)
def test_a_page_has_the_same_text_on_every_machine(symbol: str, digest: str) -> None:
    market = GeneratedMarket(symbol)
    page = market.minutes(FEBRUARY_2024, FEBRUARY_2024 + 1000 * MINUTE)
    assert hashlib.sha256(kline_rows(page, INTERVALS["1m"])).hexdigest() == digest


@pytest.mark.parametrize(
    ("minute", "values"),
    [
        (0, [667934, 668433, 667934, 667934, 413334, 276131085372, 3863, 182517, 121931941986]),
        (
            8_000_000,
            [1208516, 1209297, 1206760, 1207251, 221923, 268073219388, 941, 140459, 169668291804],
        ),
    ],
)
def test_a_minute_is_known_without_those_before_it(minute: int, values: list[int]) -> None:
    start = LISTED + minute * MINUTE
    found = GeneratedMarket("SYNBUSDT").minutes(start, start + MINUTE)
    assert found.values[:, 0].tolist() == values


@given(
    start=st.integers(0, 5_000_000),
    cuts=st.lists(st.integers(1, 3_000), min_size=1, max_size=5),
)
def test_minutes_do_not_depend_on_the_range_they_are_asked_in(start: int, cuts: list[int]) -> None:
    market = GeneratedMarket("GEN007USDT")
    edges = LISTED + MINUTE * (start + np.cumsum([0, *cuts]))
    pieces = joined([market.minutes(a, b) for a, b in pairwise(edges.tolist())])
    whole = market.minutes(int(edges[0]), int(edges[-1]))
    assert np.array_equal(pieces.values, whole.values)
    assert np.array_equal(pieces.open_time, whole.open_time)


@pytest.mark.parametrize("symbol", ["SYNAUSDT", "SYNBUSDT", "GEN001USDT", "GEN313USDT"])
def test_each_minute_opens_where_the_one_before_closed(symbol: str) -> None:
    values = GeneratedMarket(symbol).minutes(LISTED, LISTED + 200_000 * MINUTE).values
    assert np.array_equal(values[OPEN, 1:], values[CLOSE, :-1])


@pytest.mark.parametrize("number", range(1, 40))
def test_candles_are_valid(number: int) -> None:
    market = GeneratedMarket(f"GEN{number:03d}USDT")
    start = LISTED + number * 100_000 * MINUTE
    values = market.minutes(start, start + 20_000 * MINUTE).values
    assert (values[LOW] > 0).all()
    assert (values[HIGH] >= values[[OPEN, CLOSE, LOW]].max(axis=0)).all()
    assert (values[LOW] <= values[[OPEN, CLOSE]].min(axis=0)).all()
    assert (values[TAKER_VOLUME] <= values[VOLUME]).all()
    assert ((values[TRADES] == 0) == (values[VOLUME] == 0)).all()
    assert (values[QUOTE_VOLUME] <= values[VOLUME] * values[HIGH]).all()


def test_a_quiet_minute_has_no_volume_and_one_price() -> None:
    values = GeneratedMarket("SYNAUSDT").minutes(LISTED, LISTED + 20_000 * MINUTE).values
    quiet = values[:, values[VOLUME] == 0]
    assert 5 < quiet.shape[1] < 100
    assert (quiet[: CLOSE + 1] == quiet[OPEN]).all()
    assert not quiet[VOLUME:].any()


@pytest.mark.parametrize("symbol", ["SYNAUSDT", "GEN002USDT", "GEN499USDT"])
def test_prices_stay_within_a_plausible_range_for_ten_years(symbol: str) -> None:
    market = GeneratedMarket(symbol)
    days = [LISTED + day * 1440 * MINUTE for day in range(0, 3650, 10)]
    closes = np.array([market.minutes(day, day + MINUTE).values[CLOSE, 0] for day in days])
    assert closes.max() / closes.min() < 100
    assert 0.01 < np.diff(np.log(closes)).std() < 0.25


def test_nothing_is_known_before_the_listing() -> None:
    market = GeneratedMarket("SYNAUSDT")
    assert len(market.minutes(0, LISTED)) == 0
    assert market.following(0) == LISTED
    assert market.preceding(LISTED - 1) is None
