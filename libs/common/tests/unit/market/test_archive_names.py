"""What the files of an archive are called that candles lie in."""

from datetime import UTC, datetime

import pytest

from candlelog.market.archive_names import market_name, missing_names
from candlelog.market.profile import ArchiveProfile, profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series

NOW = datetime(2024, 3, 3, 12, tzinfo=UTC)
SERIES = Series("binance", "BTC/USDT", "1h")


def archive_of(exchange: str) -> ArchiveProfile:
    found = profile(exchange).archive
    assert found is not None
    return found


BINANCE, FUTURES, KRAKEN = map(archive_of, ("binance", "binanceusdm", "kraken"))


def window(start: str, end: str) -> TimeRange:
    first, after = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end))
    return TimeRange(first, after)


def names(files: list[str]) -> list[str]:
    return [path.rpartition("/")[2].removesuffix(".zip") for path in files]


@pytest.mark.parametrize(
    ("archive", "symbol", "name"),
    [
        (BINANCE, "BTC/USDT", "BTCUSDT"),
        (BINANCE, "1000SATS/FDUSD", "1000SATSFDUSD"),
        (FUTURES, "BTC/USDT:USDT", "BTCUSDT"),
        (FUTURES, "BTC/USDT:USDT-240628", "BTCUSDT_240628"),
        (KRAKEN, "BTC/USD", "XBTUSD"),
        (KRAKEN, "ETH/BTC", "ETHXBT"),
        (KRAKEN, "DOGE/EUR", "XDGEUR"),
        (KRAKEN, "SOL/USD", "SOLUSD"),
    ],
)
def test_a_symbol_is_called_as_its_archive_does(archive: ArchiveProfile, symbol: str, name: str):
    assert market_name(archive, symbol) == name


def test_missing_are_the_files_of_months_and_of_days_in_the_month_that_is_not_over():
    left = [window("2023-12-31", "2024-01-02"), window("2024-03-01", "2024-03-03")]
    assert names(missing_names(BINANCE, SERIES, left, NOW)) == [
        "BTCUSDT-1h-2023-12", "BTCUSDT-1h-2024-01", "BTCUSDT-1h-2024-03-01",
        "BTCUSDT-1h-2024-03-02",
    ]  # fmt: skip


def test_a_missing_file_is_named_once():
    left = [window("2024-01-01", "2024-01-02"), window("2024-01-05", "2024-01-06")]
    assert len(missing_names(BINANCE, SERIES, left, NOW)) == 1


def test_of_candles_longer_than_a_day_there_are_only_files_of_months():
    series, left = Series("binance", "BTC/USDT", "1w"), [window("2024-02-26", "2024-03-11")]
    assert names(missing_names(BINANCE, series, left, NOW)) == [
        "BTCUSDT-1w-2024-02", "BTCUSDT-1w-2024-03",
    ]  # fmt: skip


def test_what_is_missing_at_kraken_is_the_file_of_the_pair():
    series, left = Series("kraken", "BTC/USD", "1h"), [window("2014-01-01", "2015-01-01")]
    assert missing_names(KRAKEN, series, left, NOW) == ["XBTUSD_60.csv"]
    assert missing_names(KRAKEN, series, [], NOW) == []
    assert missing_names(KRAKEN, Series("kraken", "BTC/USD", "3m"), left, NOW) == []
