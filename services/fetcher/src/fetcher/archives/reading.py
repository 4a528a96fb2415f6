"""Reading a file: its parts in order of time, and then what is to be said of it.

with opened(path, checksum=checksum) as content:
    reading = Reading(content, Wanted(BINANCE, timeframe, window, named=file.period))
    for part in reading.parts():
        ...
    summary = reading.summary()
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from candlelog.market.pages import Page
from candlelog.market.ranges import TimeRange
from fetcher.archives.gate import Content
from fetcher.archives.lines import BLOCK_BYTES, blocks
from fetcher.archives.sieve import Sieve, Wanted
from fetcher.domain.file_summary import Said, Summary, Tally

PART_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """At most `PART_ROWS` rows. The windows of all parts, one after another, are the wanted window,
    wherever rows lack: the last part may hold none.
    """

    number: int
    window: TimeRange
    page: Page
    is_last: bool


class Reading:
    """One file, which is read once, and compared with what others have `said`."""

    def __init__(
        self,
        content: Content,
        wanted: Wanted,
        *,
        said: Sequence[Said] = (),
        part_rows: int | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._content = content
        self._wanted = wanted
        self._part_rows = part_rows or PART_ROWS
        self._block_bytes = block_bytes
        self._sieve = Sieve(wanted)
        self._tally = Tally(wanted.timeframe, said)
        self._start = wanted.window.start
        self._number = 0

    def parts(self) -> Iterator[Part]:
        """The parts, at least one. Raises `FileRefused` where the file was written to meanwhile."""
        layouts, text = self._wanted.layouts, self._content.text
        for block in blocks(text, layouts, block_bytes=self._block_bytes):
            self._sieve.take(block)
            while self._sieve.waiting > self._part_rows:  # one more: the next part has a row, too
                yield self._part(*self._sieve.part(self._part_rows))
        yield self._part(self._sieve.rest(), self._wanted.window.end)

    @property
    def holds_candles(self) -> bool:
        """Whether a line so far was a candle, of the wanted window or not."""
        return self._sieve.holds_candles

    def summary(self) -> Summary:
        """What is to be said of the file, after its last part."""
        content = self._content
        return self._tally.summary(
            sha256=content.sha256, size=content.size, quarantined=self._sieve.refused
        )

    def _part(self, page: Page, end: datetime) -> Part:
        is_last = end == self._wanted.window.end
        part = Part(self._number, TimeRange(self._start, end), page, is_last)
        self._tally.add(page.rows, part.window)
        self._start, self._number = end, self._number + 1
        return part
