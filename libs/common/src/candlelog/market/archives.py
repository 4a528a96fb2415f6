"""Archive files: what their names say.

A Binance-style tree holds a file for each month and each day, `SYMBOL-INTERVAL-2024-02[-03].zip` in
`{spot|futures/um}/{monthly|daily}/klines/SYMBOL/INTERVAL/`. Kraken's files are `PAIR_MINUTES.csv`,
wherever they lie or in whichever zip; from when they are, their names do not say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import TIMEFRAMES, Timeframe

Tree = Literal["spot", "futures/um"]

_DAYS: Final = Timeframe.parse("1d")
_MONTHS: Final = Timeframe.parse("1M")
_INTERVALS: Final = {name: name for name in TIMEFRAMES} | {"1M": "1mo"}
_TIMEFRAMES: Final = {interval: name for name, interval in _INTERVALS.items()}
_LONGER_THAN_A_DAY: Final = ("3d", "1w", "2w", "1M")
# Kraken's weeks (10080) begin on a Thursday: no timeframe of ours has their grid.
_MINUTES: Final = {
    "1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "12h": 720, "1d": 1440,
    "2w": 21600,
}  # fmt: skip
_OF_MINUTES: Final = {minutes: name for name, minutes in _MINUTES.items()}

_BINANCE: Final = re.compile(
    r"(?:spot|futures/um)/(?P<pace>monthly|daily)/klines/(?P<market>[^/]+)/(?P<interval>[^/]+)/"
    r"(?P=market)-(?P=interval)-(?P<year>20\d\d)-(?P<month>\d\d)(?:-(?P<day>\d\d))?\.zip",
    re.ASCII,
)
_KRAKEN: Final = re.compile(
    r"(?:.*/)?(?P<market>[A-Za-z0-9.]+)_(?P<minutes>\d{1,5})\.csv", re.ASCII
)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file of one market, by the venue's own name of it, and one timeframe, by ours.

    `path` is relative to where the archive lies. `period` is the month or the day it is of, None
    where only its rows tell. `entry` is its name in a zip of many; a zip of one needs none.
    """

    path: str
    market: str
    timeframe: str
    period: TimeRange | None = None
    entry: str | None = None


def monthly_files(
    tree: Tree, market: str, timeframe: str, window: TimeRange
) -> Iterator[ArchiveFile]:
    """The files of the months in which the candles of `window` open, in order."""
    folder = f"{tree}/monthly"
    return _files(folder, _MONTHS, market=market, timeframe=timeframe, window=window)


def daily_files(
    tree: Tree, market: str, timeframe: str, window: TimeRange
) -> Iterator[ArchiveFile]:
    """The files of the days on which the candles of `window` open, in order; none for candles that
    are longer than a day.
    """
    if timeframe in _LONGER_THAN_A_DAY:
        return iter(())
    folder = f"{tree}/daily"
    return _files(folder, _DAYS, market=market, timeframe=timeframe, window=window)


def checksum_path(path: str) -> str:
    """Where a Binance-style tree keeps what `sha256sum` says of a file."""
    return f"{path}.CHECKSUM"


def binance_file(path: str) -> ArchiveFile | None:
    """What a path in a Binance-style tree says, None where it names no file of candles."""
    match = _BINANCE.fullmatch(path)
    if match is None or match["interval"] not in _TIMEFRAMES:
        return None
    if (match["pace"] == "daily") != (match["day"] is not None):
        return None
    try:
        year, month, day = int(match["year"]), int(match["month"]), int(match["day"] or 1)
        start = datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None
    period = TimeRange(start, (_DAYS if match["day"] else _MONTHS).advance(start, 1))
    return ArchiveFile(path, match["market"], _TIMEFRAMES[match["interval"]], period)


def kraken_name(market: str, timeframe: str) -> str | None:
    """What Kraken calls the file of a pair, None where it makes none."""
    minutes = _MINUTES.get(timeframe)
    return None if minutes is None else f"{market}_{minutes}.csv"


def kraken_file(path: str, entry: str | None = None) -> ArchiveFile | None:
    """What Kraken's name of a file or of an entry of a zip says, None where it is of no candles."""
    match = _KRAKEN.fullmatch(path if entry is None else entry)
    timeframe = match and _OF_MINUTES.get(int(match["minutes"]))
    if not match or not timeframe:
        return None
    return ArchiveFile(path, match["market"], timeframe, entry=entry)


def _files(
    folder: str, pace: Timeframe, *, market: str, timeframe: str, window: TimeRange
) -> Iterator[ArchiveFile]:
    grid, interval = Timeframe.parse(timeframe), _INTERVALS[timeframe]
    written = "%Y-%m-%d" if pace is _DAYS else "%Y-%m"
    start = pace.floor(window.start)
    while start < window.end:
        end = pace.advance(start, 1)
        if grid.count(max(start, window.start), min(end, window.end)):
            name = f"{market}-{interval}-{start.strftime(written)}.zip"
            path = f"{folder}/klines/{market}/{interval}/{name}"
            yield ArchiveFile(path, market, timeframe, TimeRange(start, end))
        start = end
