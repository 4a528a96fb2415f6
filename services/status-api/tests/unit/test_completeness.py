"""Lines of a report of completeness, and what they are rolled up to."""

from datetime import UTC, datetime, timedelta

import pytest

from candlelog.market.series import Series
from candlelog.market.slots import Counted, SlotState
from status_api.domain.completeness import AskedSeries, freshness, rolled_up, series_line

T0 = datetime(2024, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def line(symbol: str, present: int, unknown: int, timeframe: str = "1h"):
    """A series whose first hours are present, and the rest is not."""
    asked = AskedSeries(Series("binance", symbol, timeframe), T0, T0 + present * HOUR)
    states = {SlotState.PRESENT: present, SlotState.UNKNOWN: unknown}
    end = T0 + (present + unknown) * HOUR
    return series_line(asked, Counted(T0, end, states, T0 + present * HOUR))


@pytest.mark.parametrize(
    ("seconds", "word"),
    [(0, "fresh"), (7199, "fresh"), (7200, "aging"), (86_399, "aging"), (86_400, "stale")],
)
def test_freshness_is_told_by_how_long_the_next_candle_is_missing(seconds: int, word: str):
    assert freshness(seconds) == word


def test_the_next_candle_is_missing_from_its_close_on():
    assert line("A/USDT", 3, 2).due == T0 + 4 * HOUR


def test_of_a_series_that_has_nothing_the_first_candle_is_missing():
    asked = AskedSeries(Series("binance", "A/USDT", "1h"), T0, T0)
    counted = Counted(T0, T0 + HOUR, {SlotState.UNKNOWN: 1}, None)
    assert series_line(asked, counted).due == T0 + HOUR


def test_completeness_is_the_part_that_something_explains():
    assert line("A/USDT", 3, 1).completeness == 0.75


def test_lines_are_summed_by_their_key_and_the_worst_is_told():
    lines = [line("A/USDT", 3, 1), line("B/USDT", 1, 1), line("A/USDT", 2, 2)]
    first, second = rolled_up(lines, lambda each: each.symbol)
    assert (first.series, first.slots, first.states[SlotState.UNKNOWN]) == (2, 8, 3)
    assert (first.due, first.read_at) == (T0 + 3 * HOUR, T0 + 2 * HOUR)
    assert second.symbol == "B/USDT"


def test_names_that_differ_are_left_out():
    (both,) = rolled_up([line("A/USDT", 1, 1), line("B/USDT", 1, 1)], lambda each: each.exchange)
    assert (both.exchange, both.symbol, both.timeframe) == ("binance", None, "1h")
