"""Pages follow Binance's rules, and coarse candles are what their minutes make."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from candlelog.errors import Invalid
from candlelog_embedded.sandbox.columns import CLOSE, FIELDS, HIGH, LOW, OPEN, VOLUME, Columns
from candlelog_embedded.sandbox.folding import folded
from candlelog_embedded.sandbox.generator import LISTED, GeneratedMarket
from candlelog_embedded.sandbox.intervals import INTERVALS, MINUTE
from candlelog_embedded.sandbox.markets import Markets, generated
from candlelog_embedded.sandbox.paging import Question, page

MARKET = GeneratedMarket("SYNAUSDT")
HOUR = 60 * MINUTE


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOW = at("2026-03-04T05:06:30")


def ask(
    interval: str, *, start: int | None = None, end: int | None = None, limit: int = 500
) -> Columns:
    return page(MARKET, Question(INTERVALS[interval], start, end, limit), NOW)


def fold_by_hand(minutes: Columns) -> list[int]:
    """One candle from all these minutes, by Python's own integers."""
    rows = [[int(value) for value in row] for row in minutes.values]
    ends = {OPEN: rows[OPEN][0], HIGH: max(rows[HIGH]), LOW: min(rows[LOW])}
    return [
        ends.get(field, rows[CLOSE][-1] if field == CLOSE else sum(rows[field]))
        for field in range(FIELDS)
    ]


def open_times(candles: Columns) -> Sequence[int]:
    return candles.open_time.tolist()


def test_both_bounds_are_inclusive() -> None:
    start = at("2024-02-01T00:00")
    assert open_times(ask("1m", start=start, end=start + 2 * MINUTE)) == [
        start,
        start + MINUTE,
        start + 2 * MINUTE,
    ]


def test_a_start_between_two_candles_begins_with_the_later_one() -> None:
    start = at("2024-02-01T00:00:01")
    assert open_times(ask("1h", start=start, limit=1)) == [at("2024-02-01T01:00")]


def test_without_an_end_a_page_has_limit_rows() -> None:
    assert open_times(ask("1m", start=LISTED, limit=3)) == [LISTED + n * MINUTE for n in range(3)]


def test_without_a_start_a_page_ends_at_the_end() -> None:
    end = at("2024-02-01T00:00:30")
    assert open_times(ask("1m", end=end, limit=2)) == [
        at("2024-01-31T23:59"),
        at("2024-02-01T00:00"),
    ]


def test_without_bounds_a_page_ends_with_the_open_candle() -> None:
    assert open_times(ask("1h", limit=2)) == [at("2026-03-04T04:00"), at("2026-03-04T05:00")]


def test_where_trades_are_late_a_candle_is_final_only_so_long_after_its_close() -> None:
    question = Question(INTERVALS["1m"], at("2026-03-04T05:04"), at("2026-03-04T05:05"), 2)
    final, late = page(MARKET, question, NOW), page(MARKET, question, NOW, late=MINUTE)
    assert (late.values[:, 0] == final.values[:, 0]).all()
    assert late.values[VOLUME, 1] == final.values[VOLUME, 1] * 90 // 120
    assert late.values[OPEN, 1] == final.values[OPEN, 1]


def test_a_start_before_the_listing_begins_with_the_listing() -> None:
    assert open_times(ask("1d", start=0, limit=1)) == [LISTED]


@pytest.mark.parametrize(
    ("start", "end"), [(NOW + HOUR, None), (NOW, NOW - HOUR), (None, LISTED - MINUTE)]
)
def test_a_range_with_nothing_in_it_is_an_empty_page(start: int | None, end: int | None) -> None:
    assert open_times(ask("1m", start=start, end=end)) == []


@pytest.mark.parametrize("interval", list(INTERVALS))
def test_coarse_candles_equal_their_folded_minutes(interval: str) -> None:
    grid = INTERVALS[interval]
    candles = ask(interval, start=at("2023-11-20T00:00"), limit=3)
    assert len(candles) == 3
    for number, open_time in enumerate(open_times(candles)):
        minutes = MARKET.minutes(open_time, grid.advance(open_time, 1))
        assert candles.values[:, number].tolist() == fold_by_hand(minutes)


def test_a_week_opens_on_a_monday_and_a_month_on_its_first() -> None:
    weeks, months = (
        ask("1w", start=at("2024-02-03T00:00"), limit=1),
        ask("1M", start=at("2024-02-03T00:00"), limit=2),
    )
    assert open_times(weeks) == [at("2024-02-05T00:00")]
    assert open_times(months) == [at("2024-03-01T00:00"), at("2024-04-01T00:00")]
    assert INTERVALS["1M"].ends(months.open_time).tolist() == [
        at("2024-04-01T00:00"),
        at("2024-05-01T00:00"),
    ]


def test_many_days_are_the_same_as_one_day_at_a_time() -> None:
    days = ask("1d", start=at("2020-01-01T00:00"), limit=200)
    alone = ask("1d", start=open_times(days)[-1], limit=1)
    assert len(days) == 200
    assert days.values[:, -1].tolist() == alone.values[:, 0].tolist()


def test_the_open_minute_is_on_its_way() -> None:
    minute = NOW - NOW % MINUTE
    closed = MARKET.minutes(minute, minute + MINUTE).values[:, 0]
    opened = ask("1m", start=minute).values[:, 0]
    assert opened[OPEN] == closed[OPEN]
    assert opened[VOLUME] == closed[VOLUME] // 2
    assert closed[LOW] <= opened[LOW] <= opened[CLOSE] <= opened[HIGH] <= closed[HIGH]


def test_the_open_hour_is_folded_from_what_has_happened() -> None:
    hour = NOW - NOW % HOUR
    minutes = ask("1m", start=hour)
    assert len(minutes) == 7
    assert ask("1h", start=hour).values[:, 0].tolist() == fold_by_hand(minutes)


def holed(*ranges: tuple[str, str]) -> Markets:
    markets = Markets(generated(0))
    markets.set_holes("SYNAUSDT", [(at(start), at(end)) for start, end in ranges])
    return markets


def test_a_hole_has_no_rows_and_pages_reach_over_it() -> None:
    source = holed(("2024-02-01T00:02", "2024-03-01T00:00")).source("SYNAUSDT")
    assert source is not None
    start = at("2024-02-01T00:00")
    forward = page(source, Question(INTERVALS["1m"], start, None, 4), NOW)
    backward = page(source, Question(INTERVALS["1m"], None, at("2024-03-01T00:01"), 4), NOW)
    expected = [start, start + MINUTE, at("2024-03-01T00:00"), at("2024-03-01T00:01")]
    assert open_times(forward) == open_times(backward) == expected


def test_a_coarse_candle_exists_where_one_of_its_minutes_does() -> None:
    source = holed(("2024-02-01T00:30", "2024-02-01T02:00")).source("SYNAUSDT")
    assert source is not None
    hours = page(source, Question(INTERVALS["1h"], at("2024-02-01T00:00"), None, 2), NOW)
    half = MARKET.minutes(at("2024-02-01T00:00"), at("2024-02-01T00:30"))
    assert open_times(hours) == [at("2024-02-01T00:00"), at("2024-02-01T02:00")]
    assert hours.values[:, 0].tolist() == fold_by_hand(half)


def test_holes_that_touch_are_one() -> None:
    markets = holed(
        ("2024-02-02T00:00", "2024-02-03T00:00"), ("2024-02-01T00:00", "2024-02-02T00:00")
    )
    assert markets.holes() == {"SYNAUSDT": [(at("2024-02-01T00:00"), at("2024-02-03T00:00"))]}


def test_volumes_too_large_to_add_are_refused() -> None:
    minutes = MARKET.minutes(LISTED, LISTED + 2 * MINUTE)
    huge = Columns(minutes.open_time, np.full_like(minutes.values, 2**62), minutes.decimals)
    with pytest.raises(Invalid, match="too large"):
        folded(huge, INTERVALS["1h"])
