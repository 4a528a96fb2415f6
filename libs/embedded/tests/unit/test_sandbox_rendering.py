"""Rendered pages say exactly what the columns hold."""

from decimal import Decimal

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from candlelog_embedded.sandbox.columns import FIELDS, TRADES, Columns
from candlelog_embedded.sandbox.intervals import INTERVALS
from candlelog_embedded.sandbox.rendering import kline_rows

UNITS = st.integers(0, 10**15) | st.integers(0, 99)


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    count = draw(st.integers(1, 5))
    rows = [draw(st.lists(UNITS, min_size=count, max_size=count)) for _ in range(FIELDS)]
    decimals = [draw(st.integers(0, 8)) for _ in range(FIELDS)]
    decimals[TRADES] = 0
    times = 1_706_745_600_000 + 60_000 * np.arange(count, dtype=np.int64)
    return Columns(times, np.array(rows, np.int64), tuple(decimals))


@given(columns())
def test_every_value_is_printed_with_eight_decimals(candles: Columns) -> None:
    def printed(field: int, at: int) -> str:
        value = Decimal(int(candles.values[field, at])).scaleb(-candles.decimals[field])
        return f"{value:.8f}"

    expected = [
        [
            int(open_time),
            *(printed(field, at) for field in range(5)),
            int(open_time) + 59_999,
            printed(5, at),
            int(candles.values[TRADES, at]),
            printed(7, at),
            printed(8, at),
            "0",
        ]
        for at, open_time in enumerate(candles.open_time)
    ]
    assert orjson.loads(kline_rows(candles, INTERVALS["1m"])) == expected


def test_no_candles_are_an_empty_list() -> None:
    empty = Columns(np.empty(0, np.int64), np.empty((FIELDS, 0), np.int64), (0,) * FIELDS)
    assert kline_rows(empty, INTERVALS["1h"]) == b"[]"
