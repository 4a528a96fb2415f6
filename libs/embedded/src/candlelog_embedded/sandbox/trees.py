"""An archive like Binance's, made of the sandbox's own candles.

There is a zip for each month and each day that is over, and its checksum beside it.
"""

import hashlib
import io
import zipfile
from functools import lru_cache
from typing import Final, NamedTuple

from candlelog.market.archives import ArchiveFile, binance_file, checksum_path
from candlelog.market.timeframe import milliseconds
from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.intervals import INTERVALS, Interval
from candlelog_embedded.sandbox.markets import Markets
from candlelog_embedded.sandbox.paging import candles
from candlelog_embedded.sandbox.rendering import kline_rows
from candlelog_embedded.sandbox.sources import Source

BASE: Final = "/archive/"
"""Below it lie the trees."""

_CHECKSUM: Final = checksum_path("")
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
"""When every entry was changed: the same rows are the same bytes."""
_KEPT: Final = 16
_NOT_THERE: Final = Answer(
    b"<html><body>404 Not found</body></html>", 404, content_type="text/html"
)


class _Wanted(NamedTuple):
    """A file, and what it is made of; `tag` is another one where its rows may be others."""

    path: str
    source: Source
    interval: Interval
    bounds: tuple[int, int]
    tag: str

    def __hash__(self) -> int:
        return hash((self.path, self.tag))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Wanted) and (self.path, self.tag) == (other.path, other.tag)


class Trees:
    """Answers for the files of all markets, and of what stands of them now."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._zipped = lru_cache(_KEPT)(_zipped)

    def answer(self, method: str, path: str, now: int) -> Answer:
        """The file at `path`, at venue time `now` in milliseconds since the epoch; of a HEAD
        without its content."""
        asked = path.removeprefix(BASE)
        name = asked.removesuffix(_CHECKSUM)
        file = binance_file(name)
        wanted = None if file is None else self._wanted(file, now)
        if wanted is None:
            return _NOT_THERE
        headers = {"ETag": f'"{wanted.tag}"'}
        if method == "HEAD":
            return Answer(b"", headers=headers, content_type="application/zip")
        content = self._zipped(wanted)
        if asked == name:
            return Answer(content, headers=headers, content_type="application/zip")
        digest = hashlib.sha256(content).hexdigest()
        line = f"{digest}  {name.rpartition('/')[2]}\n"
        return Answer(line.encode(), headers=headers, content_type="text/plain")

    def _wanted(self, file: ArchiveFile, now: int) -> _Wanted | None:
        """None where there is no such file: of no market, not over, or without a candle."""
        assert file.period is not None  # as of all files of months and days
        source, name = self._markets.source(file.market), file.timeframe
        start, end = milliseconds(file.period.start), milliseconds(file.period.end)
        if source is None or name not in INTERVALS or end > now:
            return None
        first, interval = source.following(start), INTERVALS[name]
        if first is None or first >= end:
            return None
        state = f"{file.path} {self._markets.state(file.market)}"
        tag = hashlib.sha256(state.encode()).hexdigest()[:32]
        return _Wanted(file.path, source, interval, (interval.ceil(start), interval.ceil(end)), tag)


def _zipped(wanted: _Wanted) -> bytes:
    rows = kline_rows(candles(wanted.source, wanted.interval, *wanted.bounds), wanted.interval)
    text = rows[2:-2].replace(b"],[", b"\n").replace(b'"', b"") + b"\n"
    name = wanted.path.rpartition("/")[2].removesuffix(".zip")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        entry = zipfile.ZipInfo(f"{name}.csv", _LONG_AGO)
        entry.compress_type = zipfile.ZIP_DEFLATED
        file.writestr(entry, text)
    return packed.getvalue()
