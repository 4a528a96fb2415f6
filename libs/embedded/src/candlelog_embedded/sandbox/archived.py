"""Archived markets: the minutes of one symbol, from the files of a folder."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from candlelog_embedded.sandbox.archive import open_times, read_text, values
from candlelog_embedded.sandbox.columns import Columns, joined

_IN_ORDER_OF_FIELDS: Final = (
    *("open", "high", "low", "close", "volume", "quote_volume", "trades"),
    *("taker_volume", "taker_quote_volume"),
)
_TREES: Final = ("spot/monthly", "spot/daily", "futures/um/monthly", "futures/um/daily")
_PERIOD: Final = re.compile(r"-1m-(\d{4}-\d{2}(?:-\d{2})?)\.zip$")
_KEPT_FILES: Final = 16


class Files:
    """Reads kline files, and keeps the few read last (about 3 MB a month of minutes)."""

    def __init__(self) -> None:
        self.read: Callable[[Path], Columns] = lru_cache(_KEPT_FILES)(_read)


class ArchivedMarket:
    """The minutes of one symbol; a day's file counts only where no month's file holds the day."""

    def __init__(self, paths: list[Path], files: Files) -> None:
        periods = sorted(_chosen(paths))
        self._starts = [start for start, _ in periods]
        self._paths = [path for _, path in periods]
        self._files = files

    def following(self, time: int) -> int | None:
        """The first minute that opens at or after `time`, None where there is none."""
        for number in range(self._number(time), len(self._paths)):
            times = self._files.read(self._paths[number]).open_time
            at = int(np.searchsorted(times, time))
            if at < len(times):
                return int(times[at])
        return None

    def preceding(self, time: int) -> int | None:
        """The last minute that opens at or before `time`, None where there is none."""
        for number in range(self._number(time), -1, -1):
            times = self._files.read(self._paths[number]).open_time
            at = int(np.searchsorted(times, time, "right"))
            if at > 0:
                return int(times[at - 1])
        return None

    def minutes(self, start: int, end: int) -> Columns:
        """The minutes that open in `[start, end)`."""
        parts: list[Columns] = []
        for number in range(self._number(start), len(self._paths)):
            if self._starts[number] >= end:
                break
            columns = self._files.read(self._paths[number])
            bounds = np.searchsorted(columns.open_time, [start, end])
            parts.append(columns.pick(slice(int(bounds[0]), int(bounds[1]))))
        return joined(parts)

    def _number(self, time: int) -> int:
        return max(0, bisect_right(self._starts, time) - 1)


def archived_symbols(folder: Path) -> dict[str, list[Path]]:
    """The 1m files of each symbol below `folder`. Where a symbol has spot files, its futures
    files are left aside.
    """
    found: dict[str, list[Path]] = {}
    markets: dict[str, str] = {}
    for tree in _TREES:
        for path in sorted((folder / tree / "klines").glob("*/1m/*.zip")):
            symbol, market = path.parent.parent.name, tree.split("/", maxsplit=1)[0]
            if markets.setdefault(symbol, market) == market and _PERIOD.search(path.name):
                found.setdefault(symbol, []).append(path)
    return found


def _read(path: Path) -> Columns:
    return exact_columns(read_text(path))


def exact_columns(table: pa.Table) -> Columns:
    """The text of a file as exact decimals, in order of time."""
    times = open_times(table)
    rows = [units_of(table[name]) for name in _IN_ORDER_OF_FIELDS]
    columns = Columns(
        times, np.array([units for units, _ in rows]), tuple(decimals for _, decimals in rows)
    )
    return columns if bool(np.all(np.diff(times) > 0)) else columns.pick(np.argsort(times))


def units_of(text: pa.ChunkedArray) -> tuple[NDArray[np.int64], int]:
    """Numbers as whole units of their last decimal, and how many decimals that is."""
    points = pc.call_function("find_substring", [text], pc.MatchSubstringOptions("."))
    lengths = np.frombuffer(values(pc.call_function("utf8_length", [text]), pa.int32()), np.int32)
    places = np.frombuffer(values(points, pa.int32()), np.int32)
    decimals = int(np.where(places < 0, 0, lengths - places - 1).max(initial=0))
    exact = np.frombuffer(values(text, pa.decimal128(38, decimals)), np.int64)
    return exact.reshape(-1, 2)[:, 0].copy(), decimals


def _chosen(paths: list[Path]) -> Iterator[tuple[int, Path]]:
    periods = {path: _PERIOD.findall(path.name)[0] for path in paths}
    months = {period for period in periods.values() if len(period) == len("2024-02")}
    for path, period in periods.items():
        if period in months or period[: len("2024-02")] not in months:
            yield int(np.datetime64(period, "ms").astype(np.int64)), path
