"""Exchange profiles and series names."""

import pytest

from candlelog.errors import Invalid
from candlelog.market.profile import EXCHANGES, profile
from candlelog.market.series import Series
from candlelog.market.timeframe import TIMEFRAMES


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_profile_names_only_timeframes_that_exist(exchange: str):
    assert set(profile(exchange).timeframes) <= set(TIMEFRAMES)


def test_an_unknown_exchange_is_refused_with_the_nearest_name():
    with pytest.raises(Invalid, match="did you mean binance"):
        profile("binanse")


def test_a_series_survives_its_text_form():
    series = Series("binance", "BTC/USDT", "1m")
    assert Series.parse(series.text) == series


@pytest.mark.parametrize("text", ["", "binance", "a|b", "a|b|c|d", "a||c"])
def test_text_that_is_no_series_is_refused(text: str):
    with pytest.raises(Invalid, match="is no series"):
        Series.parse(text)
