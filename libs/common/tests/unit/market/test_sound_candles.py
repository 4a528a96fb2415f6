"""What is said of all rows at once is what is said of each."""

from datetime import UTC, datetime
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.market.candles import Columns, are_sound, faults
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe

DAY = datetime(2024, 2, 1, tzinfo=UTC)
WINDOW = TimeRange(DAY, datetime(2024, 2, 2, tzinfo=UTC))
HOUR = 3_600_000
FIRST = int(DAY.timestamp()) * 1000
SOUND = {"time": FIRST, "open": 2.0, "high": 3.0, "low": 1.0, "close": 2.0, "volume": 0.0,
         "quote_volume": 0.0, "trades": 0}  # fmt: skip

prices = st.sampled_from([1.0, 2.0, 3.0, 0.0, -1.0, nan, inf, -inf])
rows = st.fixed_dictionaries(
    {},
    optional={
        "time": st.sampled_from([FIRST - HOUR, FIRST + 7, FIRST + 24 * HOUR, FIRST]),
        **dict.fromkeys(("open", "high", "low", "close", "volume", "quote_volume"), prices),
        "trades": st.sampled_from([1, -1, 2**32 - 1, 2**32]),
    },
)


def columns_of(given: list[dict[str, float]], *, bare: bool) -> Columns:
    told = [
        {**SOUND, "time": FIRST + place * HOUR, **changes} for place, changes in enumerate(given)
    ]
    time, *values = (np.array([row[name] for row in told]) for name in SOUND)
    *prices, quote_volume, trades = values
    return Columns(
        time.astype(np.int64),
        *(price.astype(float) for price in prices),
        quote_volume=None if bare else quote_volume.astype(float),
        trades=None if bare else trades.astype(np.int64),
    )


@given(
    st.lists(rows, max_size=1).flatmap(lambda odd: st.permutations([*odd, {}, {}])),
    st.booleans(),
    st.sampled_from(["1h", "1M"]),
)
def test_rows_are_sound_where_none_breaks_a_rule(
    given: list[dict[str, float]], bare: bool, timeframe: str
):
    columns, frame = columns_of(given, bare=bare), Timeframe.parse(timeframe)
    reasons = faults(columns, WINDOW, frame)
    assert are_sound(columns, WINDOW, frame) == all(reason is None for reason in reasons)


@pytest.mark.parametrize("times", [[0, 0], [1, 0], [0, 2, 1]])
def test_times_that_do_not_increase_are_not_sound(times: list[int]):
    given = [{"time": FIRST + place * HOUR} for place in times]
    assert not are_sound(columns_of(given, bare=True), WINDOW, Timeframe.parse("1h"))


def test_no_rows_are_sound():
    assert are_sound(columns_of([], bare=True), WINDOW, Timeframe.parse("1h"))
