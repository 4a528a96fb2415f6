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

    The windows of its parts, one after another, are the wanted window. But no part holds slots that
    it lacks where lines stand that tell no time, and may be of these. Where the market has a candle
    of each slot, none holds a day that it lacks either, or what is before its first candle or
    behind its last.
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
        self._step = (wanted.timeframe.duration or _MONTH) // _MILLISECOND
        self._apart = self._step + _DAY // _MILLISECOND if wanted.is_dense else None

    def parts(self) -> Iterator[Part]:
        """The parts: none where the file answers for nothing that is wanted. Raises `FileRefused`
        where the file was written to meanwhile."""
        layouts, text = self._wanted.layouts, self._content.text
        for block in blocks(text, layouts, block_bytes=self._block_bytes):
            self._sieve.take(block)
            yield from self._ready(but_newest=1)
        yield from self._ready(but_newest=0)
        read = TimeRange(self._start, self._wanted.window.end)
        yield from self._part(self._sieve.rest(), read, self._sieve.begins_loose, is_last=True)

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

    def _ready(self, *, but_newest: int) -> Iterator[Part]:
        """The parts to which nothing is added any more; while more may come, the newest row may be
        taken back. One more row waits, always, so that the last part has one."""
        while True:
            hole = self._sieve.before_hole(self._apart, self._step, but_newest=but_newest)
            size = self._part_rows if self._sieve.waiting > self._part_rows else 0
            if hole is not None and hole <= self._part_rows:
                size = hole
            if not size:
                return
            is_loose = self._sieve.begins_loose
            page, end = self._sieve.part(size)
            yield from self._part(page, TimeRange(self._start, end), is_loose, is_last=False)

    def _part(
        self, page: Page, read: TimeRange, is_loose: bool, *, is_last: bool
    ) -> Iterator[Part]:
        """The part of what was `read` for it, unless that says nothing. `is_loose`: lines that tell
        no time stand before its first row."""
        self._tally.add(page.rows, read)
        answered = self._answered(page.rows, read, is_loose, is_last)
        self._start = read.end
        if answered is not None:
            yield Part(self._number, answered, page, is_last)
            self._number += 1

    def _answered(
        self, rows: pa.RecordBatch, read: TimeRange, is_loose: bool, is_last: bool
    ) -> TimeRange | None:
        """What of that the file answers for."""
        before, after = self._newest or self._sieve.before, self._sieve.after
        if not len(rows):
            return read if self._near(before, after, is_loose) else None
        first, last = (rows.column("open_time")[place].value for place in (0, -1))
        self._newest = last
        start = read.start if self._near(before, first, is_loose) else from_milliseconds(first)
        if not is_last or self._near(last, after, self._sieve.ends_loose):
            return TimeRange(start, read.end)
        return TimeRange(start, self._wanted.timeframe.advance(from_milliseconds(last), 1))

    def _near(self, one: int | None, other: int | None, is_loose: bool) -> bool:
        """Whether the file answers for what lies between two candles, or before or behind one."""
        if is_loose or self._apart is None:
            return not is_loose
        return one is not None and other is not None and other - one < self._apart
