"""Which files of an archive the candles of a series lie in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from candlelog.market.archives import ArchiveFile, daily_files, kraken_name, monthly_files
from candlelog.market.profile import ArchiveProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series

_OF_KRAKEN: Final = {"BTC": "XBT", "DOGE": "XDG"}


def market_name(archive: ArchiveProfile, symbol: str) -> str:
    """What files of a symbol are called: `BTC/USDT` is `BTCUSDT`, and at Kraken `BTC/USD`
    is `XBTUSD`; a future that ends, `BTC/USDT:USDT-240628`, is `BTCUSDT_240628`."""
    pair, _, settled = symbol.partition(":")
    names = pair.split("/")
    if archive.form == "ohlcvt":
        names = [_OF_KRAKEN.get(name, name) for name in names]
    _, _, expiry = settled.partition("-")
    return "".join(names) + (f"_{expiry}" if expiry else "")


def months(archive: ArchiveProfile, series: Series, window: TimeRange) -> list[ArchiveFile]:
    """The files of months that would hold candles of the window."""
    market = market_name(archive, series.symbol)
    return list(monthly_files(archive.tree, market, series.timeframe, window))


def days_of(
    archive: ArchiveProfile, series: Series, month: ArchiveFile, window: TimeRange
) -> list[ArchiveFile]:
    """The files of days of that month that would hold candles of the window."""
    assert month.period is not None  # as of all files of months
    within = TimeRange(max(month.period.start, window.start), min(month.period.end, window.end))
    market = market_name(archive, series.symbol)
    return list(daily_files(archive.tree, market, series.timeframe, within))


def missing_names(
    archive: ArchiveProfile, series: Series, left: Sequence[TimeRange], now: datetime
) -> list[str]:
    """The files that would hold these ranges: of months, of days where a month is not over."""
    if archive.form == "ohlcvt":
        name = kraken_name(market_name(archive, series.symbol), series.timeframe)
        return [name] if name is not None and left else []
    names = dict[str, None]()
    for part in left:
        for month in months(archive, series, part):
            assert month.period is not None  # as of all files of months
            is_over = month.period.end <= now
            files = [] if is_over else days_of(archive, series, month, part)
            names |= dict.fromkeys(file.path for file in files or [month])
    return list(names)
