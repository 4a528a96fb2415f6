"""Between which slots a series may hold candles."""

from datetime import UTC, datetime, timedelta

import pytest

from candlelog.market.ranges import TimeRange
from fetcher.domain.listed import KEPT_SECONDS, Listed

START = datetime(2024, 6, 1, tzinfo=UTC)


def between(first: int, last: int) -> TimeRange:
    return TimeRange(START + timedelta(hours=first), START + timedelta(hours=last))


@pytest.mark.parametrize("ends", [(15, 25), (25, 15)])
def test_of_two_ends_the_earlier_one_holds_whichever_was_proved_last(ends: tuple[int, int]):
    listed = Listed()
    for end in ends:
        listed.ends(START + timedelta(hours=end), 0.0)
    assert listed.within(between(10, 20)) == between(10, 15)


def test_an_end_that_was_proved_too_long_ago_is_forgotten():
    listed = Listed()
    listed.ends(START, 0.0)
    listed.forget(KEPT_SECONDS + 1)
    assert listed.within(between(0, 9)) == between(0, 9)
