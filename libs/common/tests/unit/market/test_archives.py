"""What names of archive files say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.market.archives import (
    binance_file,
    checksum_path,
    daily_files,
    kraken_file,
    kraken_name,
    monthly_files,
)
from candlelog.market.ranges import TimeRange, merge
from candlelog.market.timeframe import TIMEFRAMES, Timeframe


def day(year: int, month: int, of_month: int = 1) -> datetime:
    return datetime(year, month, of_month, tzinfo=UTC)


times = st.datetimes(
    datetime(2017, 1, 1),  # noqa: DTZ001 -- the strategy adds UTC
    datetime(2030, 1, 1),  # noqa: DTZ001 -- the strategy adds UTC
    timezones=st.just(UTC),
)
windows = st.builds(
    lambda start, days: TimeRange(start, start + timedelta(days=days)), times, st.floats(0.01, 100)
)
files_of = st.sampled_from([monthly_files, daily_files])


def test_a_range_is_in_the_files_of_its_months():
    window = TimeRange(day(2023, 12, 31), day(2024, 3, 1))
    assert [file.path for file in monthly_files("futures/um", "FILUSDT", "1m", window)] == [
        "futures/um/monthly/klines/FILUSDT/1m/FILUSDT-1m-2023-12.zip",
        "futures/um/monthly/klines/FILUSDT/1m/FILUSDT-1m-2024-01.zip",
        "futures/um/monthly/klines/FILUSDT/1m/FILUSDT-1m-2024-02.zip",
    ]


def test_a_range_is_in_the_files_of_its_days():
    window = TimeRange(day(2024, 2, 29), day(2024, 3, 1) + timedelta(minutes=1))
    assert [file.path for file in daily_files("spot", "BTCUSDT", "1h", window)] == [
        "spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-02-29.zip",
        "spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-03-01.zip",
    ]


def test_an_archive_calls_months_1mo():
    [file] = monthly_files("spot", "BTCUSDT", "1M", TimeRange(day(2024, 2), day(2024, 3)))
    assert file.path == "spot/monthly/klines/BTCUSDT/1mo/BTCUSDT-1mo-2024-02.zip"


def test_a_month_in_which_no_wanted_candle_opens_is_left_out():
    friday_to_tuesday = TimeRange(day(2024, 3, 29), day(2024, 4, 2))
    files = monthly_files("spot", "BTCUSDT", "1w", friday_to_tuesday)
    assert [file.period for file in files] == [TimeRange(day(2024, 4), day(2024, 5))]


@pytest.mark.parametrize("timeframe", ["3d", "1w", "1M"])
def test_days_have_no_files_of_longer_candles(timeframe: str):
    window = TimeRange(day(2024, 1), day(2024, 6))
    assert list(daily_files("spot", "BTCUSDT", timeframe, window)) == []


@given(files_of, windows)
def test_files_of_a_range_follow_each_other_and_cover_it(files, window: TimeRange):
    timeframe = Timeframe.parse("1m")
    if not timeframe.count(window.start, window.end):
        return
    [covered] = merge(file.period for file in files("spot", "BTCUSDT", "1m", window))
    assert covered.start <= timeframe.ceil(window.start)
    assert timeframe.advance(timeframe.ceil(window.end), -1) < covered.end


@given(files_of, windows, st.sampled_from(TIMEFRAMES), st.sampled_from(["spot", "futures/um"]))
def test_the_path_of_a_file_says_what_it_was_made_from(files, window, timeframe, tree):
    for file in files(tree, "1000SHIBUSDT", timeframe, window):
        assert binance_file(file.path) == file


@pytest.mark.parametrize(
    "path",
    [
        "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-13.zip",
        "spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02-30.zip",
        "spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02.zip",
        "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02-03.zip",
        "spot/monthly/klines/BTCUSDT/1m/ETHUSDT-1m-2024-02.zip",
        "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-5m-2024-02.zip",
        "spot/monthly/klines/BTCUSDT/1s/BTCUSDT-1s-2024-02.zip",
        "spot/monthly/klines/BTCUSDT/1M/BTCUSDT-1M-2024-02.zip",
        "spot/monthly/trades/BTCUSDT/BTCUSDT-trades-2024-02.zip",
        "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02.zip.CHECKSUM",
        "futures/cm/monthly/klines/BTCUSD_PERP/1m/BTCUSD_PERP-1m-2024-02.zip",
    ],
)
def test_a_path_of_anything_else_is_no_file_of_candles(path: str):
    assert binance_file(path) is None


def test_the_checksum_lies_beside_its_file():
    assert checksum_path("a/B-1m-2024-02.zip") == "a/B-1m-2024-02.zip.CHECKSUM"


@pytest.mark.parametrize("folder", ["", "2024/q1/"])
def test_a_file_of_kraken_is_known_wherever_it_lies(folder: str):
    file = kraken_file(f"{folder}XBTUSD_60.csv")
    assert file is not None
    assert (file.market, file.timeframe, file.period) == ("XBTUSD", "1h", None)


def test_an_entry_of_a_zip_of_kraken_is_known_by_its_own_name():
    file = kraken_file("Kraken_OHLCVT.zip", "master_q4/XDGUSD_1440.csv")
    assert file is not None
    assert (file.path, file.entry) == ("Kraken_OHLCVT.zip", "master_q4/XDGUSD_1440.csv")
    assert (file.market, file.timeframe) == ("XDGUSD", "1d")


@pytest.mark.parametrize(
    "path",
    ["XBTUSD.csv", "XBTUSD_7.csv", "XBTUSD_60.csv.part", "__MACOSX/._XBTUSD_60.csv", "readme.txt"],
)
def test_what_else_lies_beside_is_no_file_of_kraken(path: str):
    assert kraken_file(path) is None


def test_weeks_of_kraken_begin_on_thursdays_and_are_none_of_ours():
    assert kraken_file("XBTUSD_10080.csv") is None
    assert kraken_name("XBTUSD", "1w") is None


@pytest.mark.parametrize(
    ("timeframe", "name"),
    [("1m", "XBTUSD_1.csv"), ("12h", "XBTUSD_720.csv"), ("2w", "XBTUSD_21600.csv")],
)
def test_kraken_names_timeframes_by_minutes(timeframe: str, name: str):
    assert kraken_name("XBTUSD", timeframe) == name
    assert kraken_file(name).timeframe == timeframe
