"""Reading a file: its parts in order of time, and then what is to be said of it.

with opened(path, checksum=checksum) as content:
    reading = Reading(content, Wanted(BINANCE, timeframe, window, named=file.period))
    for part in reading.parts():
        ...
    summary = reading.summary()
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pyarrow as pa

from candlelog.market.pages import Page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import from_milliseconds
from fetcher.archives.gate import Content
from fetcher.archives.lines import BLOCK_BYTES, blocks
from fetcher.archives.sieve import Sieve, Wanted
from fetcher.domain.file_summary import Said, Summary, Tally

PART_ROWS: Final = 10_000
_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=31)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Part:
    """At most `PART_ROWS` rows, and what of the wanted window the file answers for by them."""

    number: int
    window: TimeRange
    page: Page
    is_last: bool


class Reading:
    """One file, which is read once, and compared with what others have `said`.

    The windows of its parts, one after another, are the wanted window. But where the market has a
    candle of each slot, a day without any is a day that the file lacks, and what is before its
    first candle and behind its last may be anything: no part holds these slots.
    """

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
        self._newest: int | None = None
        self._number = 0
        self._apart = (_DAY + (wanted.timeframe.duration or _MONTH)) // _MILLISECOND

    def parts(self) -> Iterator[Part]:
        """The parts: none where the file answers for nothing that is wanted. Raises `FileRefused`
        where the file was written to meanwhile."""
        layouts, text = self._wanted.layouts, self._content.text
        for block in blocks(text, layouts, block_bytes=self._block_bytes):
            self._sieve.take(block)
            while size := self._ready():
                page, end = self._sieve.part(size)
                yield from self._part(page, TimeRange(self._start, end), is_last=False)
        rest = TimeRange(self._start, self._wanted.window.end)
        yield from self._part(self._sieve.rest(), rest, is_last=True)

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

    def _ready(self) -> int:
        """How many rows are a part; 0 while more may belong to it. There is one more row, always:
        the newest may be taken back, and the last part has a row, too."""
        hole = self._sieve.before_hole(self._apart) if self._wanted.is_dense else None
        if hole is not None and hole <= self._part_rows:
            return hole
        return self._part_rows if self._sieve.waiting > self._part_rows else 0

    def _part(self, page: Page, read: TimeRange, *, is_last: bool) -> Iterator[Part]:
        """The part of what was `read` for it, unless that says nothing."""
        self._tally.add(page.rows, read)
        answered = self._answered(page.rows, read, is_last) if self._wanted.is_dense else read
        self._start = read.end
        if answered is not None:
            yield Part(self._number, answered, page, is_last)
            self._number += 1

    def _answered(self, rows: pa.RecordBatch, read: TimeRange, is_last: bool) -> TimeRange | None:
        """What of that the file answers for: slots less than a day from a candle before them and
        from one behind."""
        before, after = self._newest or self._sieve.before, self._sieve.after
        if not len(rows):
            return read if self._near(before, after) else None
        first, last = (rows.column("open_time")[place].value for place in (0, -1))
        self._newest = last
        start = read.start if self._near(before, first) else from_milliseconds(first)
        if not is_last or self._near(last, after):
            return TimeRange(start, read.end)
        return TimeRange(start, self._wanted.timeframe.advance(from_milliseconds(last), 1))

    def _near(self, one: int | None, other: int | None) -> bool:
        return one is not None and other is not None and other - one < self._apart
